//! What a type asks serde for: names, fields in their order, variants. By it two ends of a channel tell types of one name apart.
//!
//! A type is asked by letting it read itself from here. It is never given a value, since no code of its own shall meet one that nobody sent:
//! each reading ends at the first thing that would need one, and for the next field there is another reading. Seen are the name and the fields
//! of a structure and the same of each field's type; the name and the variants of an enum; what a list or an option holds; the key of a map;
//! the first item of a tuple. What is not seen is told apart by nothing but the name of the whole type.

use std::{convert::identity, fmt};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
    value::U64Deserializer,
};

use crate::{Fingerprint, capability::Fnv};

/// How deep to look, since a type may hold itself.
const DEPTH: usize = 8;
/// How many readings there are at most.
const READINGS: usize = 64;

/// The fingerprint of what `T` is called and what it asks for.
pub(crate) fn fingerprint<T: DeserializeOwned>() -> Fingerprint {
    let mut seen = Fnv::of_name::<T>();
    let mut way = Way::default();
    for _ in 0..READINGS {
        // It ends in an error, but for a type that asks for nothing or minds none.
        let _ = T::deserialize(Probe {
            seen: &mut seen,
            way: &mut way,
            depth: DEPTH,
        });
        if !way.go_on() {
            break;
        }
    }
    Fingerprint::of_hash(seen)
}

/// Which field of each structure is looked at in a reading, from the outside in.
#[derive(Debug, Default)]
struct Way {
    /// The field, and how many there are.
    fields: Vec<(usize, usize)>,
    /// How many structures this reading has entered.
    entered: usize,
}

impl Way {
    /// The field to look at in a structure of so many.
    fn enter(&mut self, count: usize) -> usize {
        if self.entered == self.fields.len() {
            self.fields.push((0, count));
        }
        let field = self.fields.get(self.entered).map_or(0, |(field, _)| *field);
        self.entered += 1;
        field
    }

    /// Turns to the next field; `false` if there was none.
    fn go_on(&mut self) -> bool {
        self.entered = 0;
        while let Some((field, count)) = self.fields.pop() {
            if field + 1 < count {
                self.fields.push((field + 1, count));
                return true;
            }
        }
        false
    }
}

/// Notes what it is asked for.
struct Probe<'a> {
    seen: &'a mut Fnv,
    way: &'a mut Way,
    /// How much deeper to look.
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

impl Error for Ended {
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

    /// The same, for what has `len` of it.
    fn items(self, len: usize) -> Items<'a> {
        Items {
            probe: Some(self),
            field: None,
            len,
        }
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
        deserialize_seq() ("", &[]), visit_seq |probe: Self| probe.items(1);
        deserialize_tuple(len: usize) (&len.to_string(), &[]), visit_seq |probe: Self| probe.items(len);
        deserialize_tuple_struct(name: &'static str, len: usize) (name, &[&len.to_string()]), visit_seq |probe: Self| probe.items(len);
        deserialize_map() ("", &[]), visit_map |probe: Self| probe.items(1);
    }

    /// By name, and not in order: so the defaults of fields that are not sent are not made.
    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Ended> {
        self.note("deserialize_struct", name, fields);
        if fields.is_empty() {
            return Err(Ended);
        }
        let probe = self.within()?;
        let field = probe.way.enter(fields.len());
        visitor.visit_map(Items {
            field: Some(field as u64),
            ..probe.items(fields.len())
        })
    }

    /// As postcard, whose values they are: some types read themselves differently for people.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What a list, a map or a structure is asked for: one item, and no other for those that would go on after an error.
struct Items<'a> {
    probe: Option<Probe<'a>>,
    /// The field that it is, of a structure.
    field: Option<u64>,
    /// How many there would be.
    len: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Ended;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Ended> {
        let probe = self.probe.take();
        probe.map(|probe| seed.deserialize(probe)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len)
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Ended;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Ended> {
        match self.field.take() {
            // The one thing that is given: which field comes.
            Some(field) => seed.deserialize(U64Deserializer::new(field)).map(Some),
            None => self.next_element_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Ended> {
        seed.deserialize(self.probe.take().ok_or(Ended)?)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len)
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

        #[derive(serde::Deserialize)]
        pub(super) struct Line {
            pub(super) start: (u8, u8),
            pub(super) end: Option<Point>,
            pub(super) width: u8,
        }
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

        #[derive(serde::Deserialize)]
        pub(super) struct Line {
            pub(super) start: (u8, u8),
            pub(super) end: Option<Point>,
            pub(super) width: u8,
        }
    }

    mod newer {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only its type is asked")]
        pub(super) struct Line {
            pub(super) start: (u8, u8),
            pub(super) end: Option<super::old::Point>,
            pub(super) width: u16,
        }
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
        assert!(told::<old::Line, new::Line>(), "the field of a field");
        assert!(told::<old::Line, newer::Line>(), "the type of the last");
        assert!(!told::<old::Line, old::Line>());
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

        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only its type is asked")]
        struct Tree {
            left: Option<Box<Tree>>,
            right: Vec<Tree>,
            // What lies on the stack at each level.
            load: [[u64; 32]; 32],
        }

        assert_eq!(fingerprint::<Nested>(), fingerprint::<Nested>());
        assert_eq!(fingerprint::<Tree>(), fingerprint::<Tree>());
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

        #[derive(Deserialize)]
        #[serde(default)]
        struct Defaults {
            #[serde(skip)]
            skipped: Careful,
            sent: u8,
        }

        impl Default for Careful {
            fn default() -> Self {
                panic!("nobody needs one");
            }
        }

        impl Default for Defaults {
            fn default() -> Self {
                panic!("nobody needs one");
            }
        }

        fingerprint::<Defaults>();
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
