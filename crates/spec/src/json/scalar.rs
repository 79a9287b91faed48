//! What is neither an object nor a list.

use super::Text;
use serde::Deserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// One JSON value without parts. All types read this, so that the code which does is there once.
#[derive(Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// A whole number from zero.
    Positive(u64),
    /// A whole number below zero.
    Negative(i64),
    /// Any other number, which no field of ours takes.
    Fraction(f64),
    Text(Text<'a>),
}

impl Scalar<'_> {
    /// The error for this value in place of an `expected` one.
    pub(crate) fn unexpected<E: Error>(&self, expected: fmt::Arguments<'_>) -> E {
        E::custom(format_args!("expected {expected}, found {self}"))
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Null => formatter.write_str("null"),
            Scalar::Bool(value) => value.fmt(formatter),
            Scalar::Positive(value) => value.fmt(formatter),
            Scalar::Negative(value) => value.fmt(formatter),
            Scalar::Fraction(value) => value.fmt(formatter),
            Scalar::Text(value) => fmt::Debug::fmt(value, formatter),
        }
    }
}

/// Reads a scalar; `expected` says what in the error for an object or a list.
pub(crate) fn scalar<'de, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<Scalar<'de>, D::Error> {
    deserializer.deserialize_any(ScalarVisitor { expected })
}

struct ScalarVisitor {
    expected: &'static str,
}

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Positive(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(u64::try_from(value).map_or(Scalar::Negative(value), Scalar::Positive))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Fraction(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Scalar<'de>, A::Error> {
        Err(A::Error::custom(format_args!("expected {}, found a list", self.expected)))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Scalar<'de>, A::Error> {
        Err(A::Error::custom(format_args!("expected {}, found an object", self.expected)))
    }
}
