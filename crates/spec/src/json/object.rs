//! Objects with known fields.

use super::value::{Read, Value};
use super::{Problem, Text, below};
use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Defines a struct with the names of its fields in JSON.
///
/// A field is `required` (its absence is an error), `always` written (absent is the type's
/// default) or `optional` (the same, and the default is not written). `check FUNCTION` names what
/// judges an object as a whole. An unknown field is ignored, as the specification demands.
macro_rules! object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident<$life:lifetime> $(, check $check:path)? { $($fields:tt)* }
    ) => {
        $crate::json::object!(
            @build [$(#[$meta])*] $name [$life] [<$life>] [$($check)?] $($fields)*
        );
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(, check $check:path)? { $($fields:tt)* }
    ) => {
        $crate::json::object!(@build [$(#[$meta])*] $name ['de] [] [$($check)?] $($fields)*);
    };
    (
        @build [$($meta:tt)*] $name:ident [$de:lifetime] [$($generics:tt)*] [$($check:path)?]
        $( $(#[$field_meta:meta])* $kind:ident $field:ident: $type:ty = $key:literal, )*
    ) => {
        $($meta)*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $($generics)* {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl<$de> $crate::json::macros::Object<$de> for $name $($generics)* {
            fn read_fields<A: serde::de::MapAccess<$de>>(mut fields: A) -> Result<Self, A::Error> {
                use $crate::json::macros::{next_field, next_name, skip_field};
                $( let mut $field: Option<$type> = None; )*
                while let Some(name) = next_name(&mut fields)? {
                    match &*name {
                        $( $key => $field = next_field(&mut fields, $key)?, )*
                        _ => skip_field(&mut fields)?,
                    }
                }
                Ok($name { $( $field: $crate::json::object!(@take $kind $field $key), )* })
            }

            fn check(&self) -> Result<(), $crate::json::Problem> {
                $( $check(self)?; )?
                Ok(())
            }
        }

        impl<$de> $crate::json::Value<$de> for $name $($generics)* {
            fn read<D: serde::Deserializer<$de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::macros::read_object(deserializer)
            }
        }

        impl<$de> serde::Serialize for $name $($generics)* {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut fields = serializer.serialize_map(None)?;
                $(
                    if $crate::json::object!(@write $kind &self.$field) {
                        fields.serialize_entry($key, &self.$field)?;
                    }
                )*
                fields.end()
            }
        }
    };
    (@take required $field:ident $key:literal) => {
        $field.ok_or_else(|| $crate::json::macros::missing_field($key))?
    };
    (@take $kind:ident $field:ident $key:literal) => { $field.unwrap_or_default() };
    (@write optional $value:expr) => { !$crate::json::macros::is_absent($value) };
    (@write $kind:ident $value:expr) => { true };
}

pub(crate) use object;

/// What `object!` gives a struct.
pub(crate) trait Object<'de>: Sized {
    /// Reads the fields up to the closing brace.
    fn read_fields<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error>;

    /// Judges what no single field can say.
    fn check(&self) -> Result<(), Problem>;
}

pub(crate) fn read_object<'de, T: Object<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        let object = T::read_fields(fields)?;
        object.check().map_err(|Problem(text)| A::Error::custom(text))?;
        Ok(object)
    }
}

/// The name of the next field, if there is one.
pub(crate) fn next_name<'de, A: MapAccess<'de>>(
    fields: &mut A,
) -> Result<Option<Text<'de>>, A::Error> {
    fields.next_key_seed(Read(PhantomData))
}

/// The value of the field whose name was read.
pub(crate) fn next_field<'de, T: Value<'de>, A: MapAccess<'de>>(
    fields: &mut A,
    name: &str,
) -> Result<Option<T>, A::Error> {
    let value = fields.next_value_seed(Read::<Option<T>>(PhantomData));
    value.map_err(|error| below(format_args!(".{name}"), &error))
}

/// Passes over the value of a field that we do not know.
pub(crate) fn skip_field<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<(), A::Error> {
    fields.next_value::<IgnoredAny>().map(|IgnoredAny| ())
}

/// The error for a required value that is `null`, or what else stands for a missing one.
pub(crate) fn missing<E: Error>() -> E {
    E::custom("missing, but required")
}

/// The error for a required field that is missing.
pub(crate) fn missing_field<E: Error>(name: &str) -> E {
    E::custom(format_args!(".{name}: missing, but required"))
}
