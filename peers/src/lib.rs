//! Other libraries behind laneway's measuring sessions, kept out of the library's dependencies.
