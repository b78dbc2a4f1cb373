// Boost.Interprocess's message_queue behind a C interface; no exception leaves it.

#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstddef>

using boost::interprocess::message_queue;

extern "C" {

void* peers_boost_create(const char* name, std::size_t count, std::size_t size) noexcept {
    try {
        return new message_queue(boost::interprocess::create_only, name, count, size);
    } catch (...) {
        return nullptr;
    }
}

void* peers_boost_open(const char* name) noexcept {
    try {
        return new message_queue(boost::interprocess::open_only, name);
    } catch (...) {
        return nullptr;
    }
}

bool peers_boost_send(void* queue, const void* bytes, std::size_t len) noexcept {
    try {
        static_cast<message_queue*>(queue)->send(bytes, len, 0);
        return true;
    } catch (...) {
        return false;
    }
}

std::size_t peers_boost_receive(void* queue, void* bytes, std::size_t room) noexcept {
    try {
        message_queue::size_type len = 0;
        unsigned priority = 0;
        static_cast<message_queue*>(queue)->receive(bytes, room, len, priority);
        return len;
    } catch (...) {
        return 0;
    }
}

void peers_boost_close(void* queue) noexcept { delete static_cast<message_queue*>(queue); }

bool peers_boost_remove(const char* name) noexcept { return message_queue::remove(name); }
}
