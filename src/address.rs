//! Where a channel is and how it is shaped, as text.

use std::{
    error::Error,
    ffi::OsStr,
    fmt::{self, Write as _},
    os::unix::ffi::OsStrExt,
    str::FromStr,
};

/// A parsed `scheme:name?key=value&key=value`.
///
/// An empty name means an anonymous channel. Name and values are percent-encoded where needed, so
/// a name may be any path that the system allows. `Display` is canonical and parses back to an
/// equal address.
///
/// ```
/// use laneway::Address;
///
/// let address: Address = "fifo:/tmp/a%20b?capacity=64KiB".parse()?;
/// assert_eq!(address.scheme(), "fifo");
/// assert_eq!(address.name(), "/tmp/a b");
/// assert_eq!(address.value("capacity"), Some("64KiB"));
/// assert_eq!(address.to_string(), "fifo:/tmp/a%20b?capacity=64KiB");
/// # Ok::<(), laneway::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    scheme: String,
    name: Vec<u8>,
    parameters: Vec<(String, String)>,
}

impl Address {
    /// Which transport.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Where: a path or a name, empty for an anonymous channel.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }

    /// The value given for `key`.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// Why a text is not an address. `Display` shows the place under the text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressError {
    /// The text as given.
    pub input: String,
    /// Where the problem starts, as a byte offset into the text.
    pub at: usize,
    /// What is wrong there.
    pub problem: AddressProblem,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressProblem {
    /// No `scheme:` at the start.
    NoScheme,
    /// A character that a scheme cannot hold.
    BadScheme,
    /// A `%` that two hexadecimal digits do not follow.
    BadEscape,
    /// A NUL byte, which no name can hold.
    Nul,
    /// A value that is not UTF-8 once decoded.
    NotText,
    /// A parameter that is not `key=value`.
    NotKeyValue,
    /// The same key twice.
    DoubledKey,
}

impl fmt::Display for AddressProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "start with a scheme, as in pipe: or fifo:/tmp/x",
            Self::BadScheme => "a scheme holds a-z, 0-9, '+', '-' and '.' only",
            Self::BadEscape => "write '%' as %25, or two hexadecimal digits after it",
            Self::Nul => "a NUL byte is not allowed; remove it",
            Self::NotText => "the value is not UTF-8; give it as text",
            Self::NotKeyValue => "write parameters as key=value, joined by '&'",
            Self::DoubledKey => "this key is given twice; keep one",
        })
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.input.escape_debug();
        let before = self.input.get(..self.at).unwrap_or_default();
        let column = before.escape_debug().count();
        write!(f, "{}\n  {shown}\n  {:column$}^", self.problem, "")
    }
}

impl Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(input: &str) -> Result<Self, AddressError> {
        let fail = |at, problem| AddressError {
            input: input.to_owned(),
            at,
            problem,
        };
        let (scheme, rest) = input
            .split_once(':')
            .filter(|(scheme, _)| !scheme.is_empty())
            .ok_or_else(|| fail(0, AddressProblem::NoScheme))?;
        if let Some(at) = scheme.find(|c: char| !is_scheme_char(c)) {
            return Err(fail(at, AddressProblem::BadScheme));
        }
        let start = scheme.len() + 1;
        let (name_text, query) = match rest.split_once('?') {
            Some((name, query)) => (name, Some(query)),
            None => (rest, None),
        };
        let name = decode(name_text).map_err(|(at, problem)| fail(start + at, problem))?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        let mut at = start + name_text.len() + 1;
        for part in query.into_iter().flat_map(|query| query.split('&')) {
            let (key, text) = part
                .split_once('=')
                .filter(|(key, _)| !key.is_empty() && key.chars().all(is_key_char))
                .ok_or_else(|| fail(at, AddressProblem::NotKeyValue))?;
            if parameters.iter().any(|(k, _)| k == key) {
                return Err(fail(at, AddressProblem::DoubledKey));
            }
            let value_at = at + key.len() + 1;
            let value = decode(text).map_err(|(at, problem)| fail(value_at + at, problem))?;
            let value =
                String::from_utf8(value).map_err(|_| fail(value_at, AddressProblem::NotText))?;
            parameters.push((key.to_owned(), value));
            at += part.len() + 1;
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            name,
            parameters,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        encode(&self.name, f)?;
        for (i, (key, value)) in self.parameters.iter().enumerate() {
            write!(f, "{}{key}=", if i == 0 { '?' } else { '&' })?;
            encode(value.as_bytes(), f)?;
        }
        Ok(())
    }
}

fn is_scheme_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.')
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// Decodes percent escapes; an error says where in `text`.
fn decode(text: &str) -> Result<Vec<u8>, (usize, AddressProblem)> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (value, width) = if byte == b'%' {
            let value = bytes
                .get(at + 1..at + 3)
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                .and_then(|digits| str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or((at, AddressProblem::BadEscape))?;
            (value, 3)
        } else {
            (byte, 1)
        };
        if value == 0 {
            return Err((at, AddressProblem::Nul));
        }
        decoded.push(value);
        at += width;
    }
    Ok(decoded)
}

/// Writes the bytes that need no escape as they are, all others as `%XX`.
fn encode(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/+:@,".contains(&byte) {
            f.write_char(char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, AddressProblem) {
        let error = text.parse::<Address>().expect_err(text);
        (error.at, error.problem)
    }

    #[test]
    fn bad_text_is_refused_at_the_right_place() {
        assert_eq!(problem(""), (0, AddressProblem::NoScheme));
        assert_eq!(problem("pipe"), (0, AddressProblem::NoScheme));
        assert_eq!(problem("Pipe:"), (0, AddressProblem::BadScheme));
        assert_eq!(problem("fifo:/a%2"), (7, AddressProblem::BadEscape));
        assert_eq!(problem("fifo:/a%00"), (7, AddressProblem::Nul));
        assert_eq!(problem("pipe:?a"), (6, AddressProblem::NotKeyValue));
        assert_eq!(problem("pipe:?a=1&a=2"), (10, AddressProblem::DoubledKey));
        assert_eq!(problem("pipe:?a=%FF"), (8, AddressProblem::NotText));
        assert_eq!(problem("pipe:?a=%+1"), (8, AddressProblem::BadEscape));
    }

    #[test]
    fn every_byte_but_nul_survives_display_and_parse() {
        let address = Address {
            scheme: "fifo".into(),
            name: (1..=255).collect(),
            parameters: vec![("key".into(), "a&b=c?%\u{e9}".into())],
        };
        assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn the_message_points_at_the_spot() {
        let error = "fifo:/a%2".parse::<Address>().expect_err("bad escape");
        assert!(error.to_string().ends_with("  fifo:/a%2\n         ^"));
        let error = "fifo:\t%2".parse::<Address>().expect_err("bad escape");
        assert!(error.to_string().ends_with("  fifo:\\t%2\n         ^"));
    }
}
