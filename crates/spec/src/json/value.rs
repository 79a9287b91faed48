//! How each type is read.

use super::scalar::{Scalar, scalar};
use super::{Text, below};
use serde::Deserializer;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// What can be read from JSON. It may borrow from the text.
pub trait Value<'de>: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong, with its path.
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Reads a value that may be `null`, or what else stands for a missing one.
    ///
    /// # Errors
    /// What is wrong, with its path.
    fn read_optional<D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_option(OptionVisitor(PhantomData))
    }
}

/// Whether writing the value would say nothing that its absence does not.
pub(crate) fn is_absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `Value` as serde passes it on to a part of an object or a list.
pub(super) struct Read<T>(pub(super) PhantomData<T>);

impl<'de, T: Value<'de>> DeserializeSeed<'de> for Read<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

struct OptionVisitor<T>(PhantomData<T>);

impl<'de, T: Value<'de>> Visitor<'de> for OptionVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read(deserializer).map(Some)
    }
}

impl<'de, T: Value<'de>> Value<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read_optional(deserializer)
    }

    fn read_optional<D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        T::read_optional(deserializer).map(Some)
    }
}

impl<'de> Value<'de> for bool {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match scalar(deserializer, "true or false")? {
            Scalar::Bool(value) => Ok(value),
            other => Err(other.unexpected(format_args!("true or false"))),
        }
    }
}

impl<'de> Value<'de> for Text<'de> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'de>, D::Error> {
        match scalar(deserializer, "a text")? {
            Scalar::Text(value) if !has_nul(&value) => Ok(value),
            other => Err(other.unexpected(format_args!("a text without NUL"))),
        }
    }
}

/// A NUL stands in no JSON text but as an escape sequence, and then the text is a copy.
fn has_nul(text: &Text<'_>) -> bool {
    matches!(text, Text::Owned(text) if text.contains('\0'))
}

macro_rules! whole_number {
    ($($type:ty)*) => { $(
        impl<'de> Value<'de> for $type {
            fn read<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let scalar = scalar(deserializer, "a whole number")?;
                let number = match scalar {
                    Scalar::Positive(value) => <$type>::try_from(value).ok(),
                    Scalar::Negative(value) => <$type>::try_from(value).ok(),
                    _ => None,
                };
                let (low, high) = (<$type>::MIN, <$type>::MAX);
                let expected = format_args!("a whole number from {low} to {high}");
                number.ok_or_else(|| scalar.unexpected(expected))
            }
        }
    )* };
}

whole_number!(u16 u32 u64 i32 i64);

impl<'de, T: Value<'de>> Value<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Value<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        loop {
            match items.next_element_seed(Read(PhantomData)) {
                Ok(Some(item)) => list.push(item),
                Ok(None) => return Ok(list),
                Err(error) => return Err(below(format_args!("[{}]", list.len()), &error)),
            }
        }
    }
}
