//! What a type asks serde for: names, fields in their order, variants. By it two ends of a channel tell types of one name apart.
//!
//! A type is asked by letting it read itself from here. It is never given a value, since no code of its own shall meet one that nobody sent:
//! so what is seen ends at the first thing that would need one. Of a structure that is its name, its fields, and the same of the first
//! one's type; of an enum its name and its variants; of a list, an option or a map the same of what it holds. What is not seen is told apart
//! by nothing but the name of the whole type.

use std::{convert::identity, fmt};

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{Fingerprint, capability::Fnv, typed::bounded::DEPTH};

/// The fingerprint of what `T` is called and what it asks for.
pub(crate) fn fingerprint<T: DeserializeOwned>() -> Fingerprint {
    let mut seen = Fnv::of_name::<T>();
    // It ends in an error, but for a type that asks for nothing or minds none.
    let _ = T::deserialize(Probe {
        seen: &mut seen,
        depth: DEPTH,
    });
    Fingerprint::of_hash(seen)
}

/// Notes what it is asked for.
struct Probe<'a> {
    seen: &'a mut Fnv,
    /// How much deeper to look, since a type may hold itself.
    depth: usize,
}

/// What a type gets instead of a value.
#[derive(Debug)]
struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no value here, only the question what one would be")
    }
}

impl std::error::Error for Ended {}

impl serde::de::Error for Ended {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'a> Probe<'a> {
    /// Notes a question.
    fn note(&mut self, what: &str, name: &str, parts: &[&str]) {
        // Each with its end, so that no two sequences of words look alike.
        for word in [what, name].iter().chain(parts) {
            self.seen.add(word.as_bytes());
            self.seen.add(&[0xff]);
        }
    }

    /// One that looks at what lies within.
    fn within(self) -> Result<Self, Ended> {
        let depth = self.depth.checked_sub(1).ok_or(Ended)?;
        Ok(Self { depth, ..self })
    }

    /// The same, for what has many of it.
    fn items(self) -> Items<'a> {
        Items(Some(self))
    }
}

/// What is noted, and no more.
macro_rules! leaves {
    ($($method:ident($($name:ident: $type:ty),*) $parts:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(mut self, $($name: $type,)* _: V) -> Result<V::Value, Ended> {
            let (name, parts): (&str, &[&str]) = $parts;
            self.note(stringify!($method), name, parts);
            Err(Ended)
        }
    )*};
}

/// What is noted, and then what lies within.
macro_rules! holders {
    ($($method:ident($($name:ident: $type:ty),*) $parts:expr, $visit:ident $within:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(mut self, $($name: $type,)* visitor: V) -> Result<V::Value, Ended> {
            let (name, parts): (&str, &[&str]) = $parts;
            self.note(stringify!($method), name, parts);
            visitor.$visit($within(self.within()?))
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Ended;

    leaves! {
        deserialize_any() ("", &[]);
        deserialize_bool() ("", &[]);
        deserialize_i8() ("", &[]);
        deserialize_i16() ("", &[]);
        deserialize_i32() ("", &[]);
        deserialize_i64() ("", &[]);
        deserialize_i128() ("", &[]);
        deserialize_u8() ("", &[]);
        deserialize_u16() ("", &[]);
        deserialize_u32() ("", &[]);
        deserialize_u64() ("", &[]);
        deserialize_u128() ("", &[]);
        deserialize_f32() ("", &[]);
        deserialize_f64() ("", &[]);
        deserialize_char() ("", &[]);
        deserialize_str() ("", &[]);
        deserialize_string() ("", &[]);
        deserialize_bytes() ("", &[]);
        deserialize_byte_buf() ("", &[]);
        deserialize_unit() ("", &[]);
        deserialize_unit_struct(name: &'static str) (name, &[]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) (name, variants);
        deserialize_identifier() ("", &[]);
        deserialize_ignored_any() ("", &[]);
    }

    holders! {
        deserialize_option() ("", &[]), visit_some identity;
        deserialize_newtype_struct(name: &'static str) (name, &[]), visit_newtype_struct identity;
        deserialize_seq() ("", &[]), visit_seq Probe::items;
        deserialize_tuple(len: usize) (&len.to_string(), &[]), visit_seq Probe::items;
        deserialize_tuple_struct(name: &'static str, len: usize) (name, &[&len.to_string()]), visit_seq Probe::items;
        deserialize_map() ("", &[]), visit_map Probe::items;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) (name, fields), visit_seq Probe::items;
    }

    /// As postcard, whose values they are: some types read themselves differently for people.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What a list or a map is asked for: one item, and no other for those that would go on after an error.
struct Items<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Ended;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Ended> {
        let probe = self.0.take();
        probe.map(|probe| seed.deserialize(probe)).transpose()
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Ended;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Ended> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<S::Value, Ended> {
        Err(Ended)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[expect(dead_code, reason = "only their types are asked")]
    mod old {
        #[derive(serde::Deserialize)]
        pub(super) struct Point {
            pub(super) x: u32,
            pub(super) y: u32,
        }

        #[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Order {
            Go,
            Stop,
        }

        #[derive(serde::Deserialize)]
        pub(super) struct Wide(pub(super) u32, pub(super) u8);

        #[derive(serde::Deserialize)]
        pub(super) struct Meters(pub(super) f32);
    }

    #[expect(dead_code, reason = "only their types are asked")]
    mod new {
        #[derive(serde::Deserialize)]
        pub(super) struct Point {
            pub(super) y: u32,
            pub(super) x: u32,
        }

        #[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Order {
            Stop,
            Go,
        }

        #[derive(serde::Deserialize)]
        pub(super) struct Wide(pub(super) u32, pub(super) u8, pub(super) u8);

        #[derive(serde::Deserialize)]
        pub(super) struct Meters(pub(super) f64);
    }

    /// Whether two types are told apart, which their names do not do.
    fn told<A: DeserializeOwned, B: DeserializeOwned>() -> bool {
        assert_eq!(Fingerprint::of_name::<A>(), Fingerprint::of_name::<B>());
        fingerprint::<A>() != fingerprint::<B>()
    }

    #[test]
    fn types_of_one_name_are_told_apart() {
        assert!(told::<old::Point, new::Point>(), "fields in another order");
        assert!(told::<old::Order, new::Order>(), "variants");
        assert!(told::<old::Wide, new::Wide>(), "one more field");
        assert!(told::<old::Meters, new::Meters>(), "what is wrapped");
        assert!(told::<Vec<old::Point>, Vec<new::Point>>());
        assert!(told::<Option<old::Order>, Option<new::Order>>());
        assert!(told::<BTreeMap<old::Order, u8>, BTreeMap<new::Order, u8>>());
        assert!(told::<(old::Point, u8), (new::Point, u8)>());
        assert!(told::<[old::Point; 3], [new::Point; 3]>());
        assert!(!told::<old::Point, old::Point>());
    }

    #[test]
    fn names_still_count() {
        assert_ne!(fingerprint::<(u8, u16)>(), fingerprint::<(u8, u32)>());
        assert!(fingerprint::<old::Point>().is_name());
    }

    #[test]
    fn a_type_that_holds_itself_is_looked_at_and_left() {
        #[derive(Deserialize)]
        struct Nested(#[expect(dead_code, reason = "only its type is asked")] Option<Box<Nested>>);

        assert_eq!(fingerprint::<Nested>(), fingerprint::<Nested>());
    }

    #[test]
    fn no_type_is_given_a_value() {
        struct Careful;

        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Careful;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what its sender made")
            }

            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Careful, E> {
                panic!("nobody sent one");
            }
        }

        impl<'de> Deserialize<'de> for Careful {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_u64(Visit)
            }
        }

        fingerprint::<Vec<Careful>>();
        fingerprint::<Option<(Careful, u8)>>();
    }

    #[test]
    fn who_goes_on_after_errors_comes_to_an_end() {
        struct Lenient;

        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, whatever is in it")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lenient, A::Error> {
                while !matches!(items.next_element::<u8>(), Ok(None)) {}
                Ok(Lenient)
            }
        }

        impl<'de> Deserialize<'de> for Lenient {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_seq(Visit)
            }
        }

        fingerprint::<Lenient>();
    }
}
