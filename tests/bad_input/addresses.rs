//! Addresses that name nothing, and names that nothing can have.

use std::ffi::OsString;

use laneway::{
    AddressError, AddressProblem, Channel, Driver, Registry,
    transport::{Fifo, ShmLocked, Sysv},
};

use crate::{
    attempt::{assert_refused, assert_says, pair_refused, wrong},
    world::{Case, path},
};

pub(crate) const CASES: &[Case] = &[
    Case::anywhere("unknown_scheme", unknown_scheme),
    Case::anywhere("unknown_key", unknown_key),
    Case::anywhere("malformed_address", malformed_address),
    Case::anywhere("bad_value", bad_value),
    Case::anywhere("bad_name", bad_name),
    Case::anywhere("bad_name_in_a_builder", bad_name_in_a_builder),
    Case::anywhere("bad_path_of_a_queue", bad_path_of_a_queue),
    Case::anywhere("no_name", no_name),
];

/// Panics unless the error points at byte `at` of `address`, and says all of `words`.
fn assert_points(error: &AddressError, address: &str, at: usize, words: &[&str]) {
    assert_eq!((error.input.as_str(), error.at), (address, at), "{error}");
    assert_says(&error.to_string(), words);
    let caret = error.to_string().lines().last().map(str::len);
    assert_eq!(caret, Some(2 + at + 1), "{error}");
}

/// A named address of a driver, an anonymous one if it has no names.
fn example(driver: &Driver) -> String {
    let name = driver.example_name("x").unwrap_or_default();
    format!("{}:{name}", driver.scheme())
}

fn unknown_scheme() {
    let known: Vec<&str> = Registry::BUILTIN
        .drivers()
        .iter()
        .map(Driver::scheme)
        .collect();
    for address in ["nope:x", "shm+lok:x?capacity=1MiB", "pipes:", "unix+:"] {
        let error = wrong(address);
        assert_points(&error, address, 0, &known);
        assert_eq!(error.problem, AddressProblem::UnknownScheme(known.clone()));
    }
}

fn unknown_key() {
    for driver in Registry::BUILTIN.drivers() {
        let known: Vec<&str> = driver.keys().iter().map(|key| key.name).collect();
        let address = format!("{}?{}", example(driver), "nope=1");
        let error = wrong(&address);
        assert_points(&error, &address, example(driver).len() + 1, &known);
        assert_eq!(error.problem, AddressProblem::UnknownKey(known.clone()));
        // Behind a good one.
        let address = format!("{}?capacity=64KiB&{}", example(driver), "Capacity_=1");
        let error = wrong(&address);
        assert_eq!(error.problem, AddressProblem::NotKeyValue, "{error}");
        let address = format!("{}?capacity=64KiB&{}", example(driver), "capacit=1");
        let error = wrong(&address);
        assert_points(&error, &address, example(driver).len() + 16, &known);
        assert_eq!(error.problem, AddressProblem::UnknownKey(known));
    }
}

fn malformed_address() {
    use AddressProblem::{BadEscape, BadScheme, DoubledKey, NoScheme, NotKeyValue, NotText, Nul};

    let cases = [
        ("", 0, NoScheme, "start with a scheme"),
        ("pipe", 0, NoScheme, "start with a scheme"),
        (":x", 0, NoScheme, "start with a scheme"),
        ("Pipe:", 0, BadScheme, "a scheme holds"),
        ("fi fo:/x", 2, BadScheme, "a scheme holds"),
        ("pipe:?", 6, NotKeyValue, "key=value"),
        ("pipe:?capacity", 6, NotKeyValue, "key=value"),
        ("pipe:?=1", 6, NotKeyValue, "key=value"),
        ("pipe:?mode=packet&", 18, NotKeyValue, "key=value"),
        ("pipe:?mode=packet&mode=packet", 18, DoubledKey, "keep one"),
        ("fifo:/tmp/%zz", 10, BadEscape, "%25"),
        ("fifo:/tmp/x%2", 11, BadEscape, "%25"),
        ("fifo:/tmp/%00", 10, Nul, "remove it"),
        ("sysv:/tmp/%00", 10, Nul, "remove it"),
        ("shm+lock:a%00b", 10, Nul, "remove it"),
        ("shm+lock:x?wait=%00", 16, Nul, "remove it"),
        ("pipe:?mode=%FF", 11, NotText, "as text"),
    ];
    for (address, at, problem, word) in cases {
        let error = wrong(address);
        assert_points(&error, address, at, &[word]);
        assert_eq!(error.problem, problem, "{address}");
    }
    let error = wrong("shm+lock:a\0b");
    assert_eq!((error.at, &error.problem), (10, &Nul));
    assert_says(&error.to_string(), &["remove it", "a\\0b"]);
}

fn bad_value() {
    let cases = [
        ("pipe:?mode=both", 11, "stream or packet"),
        ("fifo:/x?mode=", 13, "stream or packet"),
        ("sysv:/x?id=0", 11, "from 1 to 255"),
        ("sysv:/x?id=256", 11, "from 1 to 255"),
        ("sysv:/x?id=-1", 11, "from 1 to 255"),
        ("sysv:/x?mtype=0", 14, "from 1 up"),
        ("sysv:/x?mtype=9223372036854775808", 14, "from 1 up"),
        ("sysv:/x?select=high", 15, "negated bound"),
        ("sysv:/x?wait=never", 13, "park"),
        ("shm+lock:x?wait=never", 16, "park"),
        ("shm+lock:x?lock=none", 16, "raw_sync"),
        ("shm+lock:x?lock=", 16, "raw_sync"),
    ];
    for (address, at, form) in cases {
        let error = wrong(address);
        assert_points(&error, address, at, &["this key takes", form]);
        assert!(matches!(error.problem, AddressProblem::BadValue(_)));
    }
}

/// Names that the system has no room or no place for.
fn bad_name() {
    let long_name = "n".repeat(300);
    let long_part = format!("/tmp/{}", "p".repeat(256));
    let long_path = format!("/tmp{}", "/d".repeat(2048));
    let cases = [
        ("pipe", "orders", "fifo:PATH"),
        ("shm+lock", "a/b", "slash"),
        ("shm+lock", "/abs", "slash"),
        ("shm+lock", "%FF", "UTF-8"),
        ("shm+lock", long_name.as_str(), "240"),
        ("fifo", long_part.as_str(), "255"),
        ("fifo", long_path.as_str(), "4095"),
    ];
    for (scheme, name, word) in cases {
        let address = format!("{scheme}:{name}");
        let error = wrong(&address);
        assert!(
            matches!(error.problem, AddressProblem::BadName(_)),
            "{error}"
        );
        assert_eq!(error.at, scheme.len() + 1);
        assert_says(&error.to_string(), &[word]);
    }
    let address = "sysv:?id=7";
    let error = wrong(address);
    assert_points(&error, address, 5, &["needs a path", "sysv:PATH?id=N"]);
}

/// The same, where no address was parsed.
fn bad_name_in_a_builder() {
    use laneway::OpenErrorKind::Refused;

    let long: OsString = path(&"p".repeat(256)).into();
    let checked = |error: laneway::OpenError, word: &str| {
        assert!(matches!(error.kind, Refused(_)), "{error}");
        assert_says(&error.to_string(), &[word, "choose another name"]);
    };
    checked(pair_refused(&ShmLocked::new("a/b")), "slash");
    checked(pair_refused(&ShmLocked::new("a\0b")), "NUL");
    checked(pair_refused(&ShmLocked::new("n".repeat(300))), "too long");
    checked(pair_refused(&Fifo::new("/tmp/a\0b")), "NUL");
    checked(pair_refused(&Fifo::new(&long)), "too long");
}

fn bad_path_of_a_queue() {
    let part = format!("/tmp/{}", "p".repeat(256));
    let path = format!("/tmp{}", "/d".repeat(2048));
    for (name, word) in [(part.as_str(), "255"), (path.as_str(), "4095")] {
        let address = format!("sysv:{name}");
        let error = wrong(&address);
        assert!(
            matches!(error.problem, AddressProblem::BadName(_)),
            "{error}"
        );
        assert_points(&error, &address, 5, &[word]);
    }
    for (name, word) in [("/tmp/a\0b", "NUL"), (part.as_str(), "too long")] {
        let error = pair_refused(&Sysv::new(name));
        assert!(
            matches!(error.kind, laneway::OpenErrorKind::Refused(_)),
            "{error}"
        );
        assert_says(&error.to_string(), &[word]);
    }
}

fn no_name() {
    use laneway::OpenErrorKind::{NamedOnly, Unnamed};

    for address in ["pipe:", "sysv:", "shm+lock:"] {
        let channel = crate::attempt::channel(address);
        for error in [
            channel.sender().map(drop).expect_err("unnamed"),
            channel.receiver().map(drop).expect_err("unnamed"),
        ] {
            assert_eq!(error.kind, Unnamed);
            assert_says(&error.to_string(), &[address, "open it as a pair"]);
        }
        assert_eq!(
            channel.unlink().expect_err("nothing there").kind(),
            std::io::ErrorKind::NotFound
        );
    }
    assert_refused(&Fifo::new(""), NamedOnly, &["write one after the colon"]);
}
