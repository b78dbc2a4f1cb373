//! Reading values within bounds: what a peer writes must not keep the reader busy for ever, nor use up its stack.
//!
//! A list of values that take no bytes may claim to have any length, and a type that contains itself may be nested as deep as the
//! message is long. postcard follows both. So whatever is read by it is read through these wrappers, which count.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// How many items a message may have that take no bytes, over all its lists and as many more as it has bytes.
pub(crate) const FREE: usize = 1 << 16;
/// How deep values may be nested. A list, an option, an enum, a map, a tuple and a structure count one each, as in `serde_json`.
pub(crate) const DEPTH: usize = 128;

/// Reads a value, which must use up all the bytes.
#[inline]
pub(crate) fn from_bytes<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut items = bytes.len().saturating_add(FREE);
    let mut postcard = postcard::Deserializer::from_bytes(bytes);
    let bounded = Bounded {
        inner: &mut postcard,
        left: Left {
            items: &mut items,
            depth: DEPTH,
        },
    };
    let value = T::deserialize(bounded).ok()?;
    postcard.finalize().ok()?.is_empty().then_some(value)
}

/// What may still be read.
struct Left<'a> {
    /// Items of lists. One that takes a byte or more uses up no more of them than it has bytes.
    items: &'a mut usize,
    /// Levels below this one.
    depth: usize,
}

impl Left<'_> {
    /// The same for what lies within.
    #[inline]
    fn again(&mut self) -> Left<'_> {
        Left {
            items: self.items,
            depth: self.depth,
        }
    }

    /// Uses up so many items.
    #[inline]
    fn take<E: Error>(&mut self, items: usize) -> Result<(), E> {
        match self.items.checked_sub(items) {
            Some(left) => {
                *self.items = left;
                Ok(())
            }
            None => Err(E::custom("more items than the message has bytes")),
        }
    }
}

/// A reader, or what it hands out, with what may still be read.
struct Bounded<'a, I> {
    inner: I,
    left: Left<'a>,
}

/// The visitor of what has something within.
struct Within<'a, V> {
    inner: V,
    left: Left<'a>,
    /// Whether the message says how many items there are, and not the type.
    counts: bool,
}

impl<'a, I> Bounded<'a, I> {
    /// Wraps the visitor of something one level deeper.
    #[inline]
    fn enter<V, E: Error>(self, inner: V, counts: bool) -> Result<(I, Within<'a, V>), E> {
        let Some(depth) = self.left.depth.checked_sub(1) else {
            return Err(E::custom("nested too deep"));
        };
        let left = Left {
            items: self.left.items,
            depth,
        };
        let within = Within {
            inner,
            left,
            counts,
        };
        Ok((self.inner, within))
    }
}

/// What has nothing within goes by.
macro_rules! flat {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* visitor)
        }
    )*};
}

/// What has something within is entered.
macro_rules! nested {
    ($($method:ident($($name:ident: $type:ty),*), $counts:literal;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let (inner, within) = self.enter(visitor, $counts)?;
            inner.$method($($name,)* within)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    flat! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    nested! {
        deserialize_option(), false;
        deserialize_newtype_struct(name: &'static str), false;
        deserialize_seq(), true;
        deserialize_tuple(len: usize), false;
        deserialize_tuple_struct(name: &'static str, len: usize), false;
        deserialize_map(), true;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]), false;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]), false;
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'a, V> Within<'a, V> {
    /// Wraps the items of a list or a map, of which there may be `len`, if that is known.
    #[inline]
    fn items<A, E: Error>(mut self, inner: A, len: Option<usize>) -> Result<(V, Items<'a, A>), E> {
        let counts = match len {
            // That many may be there: paid for at once.
            Some(len) if self.counts => {
                self.left.take(len)?;
                false
            }
            _ => self.counts,
        };
        let items = Items {
            inner,
            left: self.left,
            counts,
        };
        Ok((self.inner, items))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Within<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let left = self.left;
        self.inner.visit_some(Bounded { inner, left })
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let left = self.left;
        self.inner.visit_newtype_struct(Bounded { inner, left })
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let len = inner.size_hint();
        let (visitor, items) = self.items(inner, len)?;
        visitor.visit_seq(items)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let len = inner.size_hint();
        let (visitor, items) = self.items(inner, len)?;
        visitor.visit_map(items)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let left = self.left;
        self.inner.visit_enum(Bounded { inner, left })
    }
}

/// The items of a list or a map.
struct Items<'a, A> {
    inner: A,
    left: Left<'a>,
    /// Whether each is still to be counted.
    counts: bool,
}

impl<A> Items<'_, A> {
    #[inline]
    fn count<E: Error>(&mut self) -> Result<(), E> {
        if self.counts {
            self.left.take(1)?;
        }
        Ok(())
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        inner: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.count()?;
        let left = self.left.again();
        self.inner.next_element_seed(Bounded { inner, left })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        inner: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.count()?;
        let left = self.left.again();
        self.inner.next_key_seed(Bounded { inner, left })
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        let left = self.left.again();
        self.inner.next_value_seed(Bounded { inner, left })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let left = self.left;
        self.inner.deserialize(Bounded { inner, left })
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'a, A> {
    type Error = A::Error;
    type Variant = Bounded<'a, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        // It is a number, with nothing within.
        let (value, inner) = self.inner.variant_seed(seed)?;
        let left = self.left;
        Ok((value, Bounded { inner, left }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<S::Value, A::Error> {
        let left = self.left;
        self.inner.newtype_variant_seed(Bounded { inner, left })
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let (inner, within) = self.enter(visitor, false)?;
        inner.tuple_variant(len, within)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let (inner, within) = self.enter(visitor, false)?;
        inner.struct_variant(fields, within)
    }
}
