//! Where a channel is and how it is shaped, as text.

use std::{
    error::Error,
    ffi::OsStr,
    fmt::{self, Write as _},
    os::unix::ffi::OsStrExt,
    str::FromStr,
    time::Duration,
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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    scheme: String,
    name: Vec<u8>,
    parameters: Vec<(String, String)>,
}

/// One `key=value` that a transport understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What a value looks like, as in `SIZE` or `stream|packet`.
    pub form: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
}

impl Address {
    /// An address without parameters; an empty name means anonymous.
    ///
    /// # Errors
    /// A scheme that no address can hold, or a NUL byte in the name.
    pub fn new(scheme: &str, name: impl AsRef<OsStr>) -> Result<Self, AddressError> {
        let mut address: Self = format!("{scheme}:").parse()?;
        address.name = name.as_ref().as_bytes().to_vec();
        if address.name.contains(&0) {
            return Err(address.error_at_name(AddressProblem::Nul));
        }
        Ok(address)
    }

    /// An address from parts that are known to be right: a scheme of ours, a name that was parsed
    /// or that the system would refuse later.
    pub(crate) fn of(scheme: &'static str, name: &OsStr) -> Self {
        Self {
            scheme: scheme.to_owned(),
            name: name.as_bytes().to_vec(),
            parameters: Vec::new(),
        }
    }

    /// The same under another name.
    #[cfg(feature = "measure")]
    pub(crate) fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            ..self.clone()
        }
    }

    /// The same with `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        match self.parameters.iter_mut().find(|(k, _)| k == key) {
            Some(found) => found.1 = value,
            None => self.parameters.push((key.to_owned(), value)),
        }
        self
    }

    /// The same with another scheme, which is right.
    pub(crate) fn with_scheme(mut self, scheme: &'static str) -> Self {
        scheme.clone_into(&mut self.scheme);
        self
    }

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

    /// Whether the channel has no name.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.name.is_empty()
    }

    /// Checks the scheme and that every key is one of `keys`.
    ///
    /// # Errors
    /// [`AddressProblem::UnknownScheme`] or [`AddressProblem::UnknownKey`].
    pub fn check(&self, scheme: &'static str, keys: &'static [Key]) -> Result<(), AddressError> {
        if self.scheme != scheme {
            return Err(self.error(0, AddressProblem::UnknownScheme(vec![scheme])));
        }
        let known = |name: &str| keys.iter().any(|key| key.name == name);
        match self.parameters.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(self.error(
                self.position(name),
                AddressProblem::UnknownKey(keys.iter().map(|key| key.name).collect()),
            )),
            None => Ok(()),
        }
    }

    /// The value of `key` as bytes: a number, or a number with `KiB`, `MiB`, `GiB` or `TiB`.
    ///
    /// # Errors
    /// [`AddressProblem::BadValue`] if it is none, is zero, or no `usize` holds it.
    pub fn size(&self, key: &str) -> Result<Option<usize>, AddressError> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)];
        self.parse_with(
            key,
            "a size such as 65536, 64KiB or 1MiB, and not 0",
            |text| {
                let (digits, shift) = units
                    .iter()
                    .find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?, shift)))?;
                let number: usize = digits.parse().ok()?;
                let size = number.checked_mul(1 << shift)?;
                (size > 0).then_some(size)
            },
        )
    }

    /// The value of `key` as a time: a number with `us`, `ms` or `s`.
    ///
    /// # Errors
    /// [`AddressProblem::BadValue`] if it is none.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>, AddressError> {
        let units = [("us", 1), ("ms", 1000), ("s", 1_000_000)];
        self.parse_with(key, "a time such as 20us, 5ms or 3s", |text| {
            let (digits, micros) = units
                .iter()
                .find_map(|&(unit, micros)| Some((text.strip_suffix(unit)?, micros)))?;
            let number: u64 = digits.parse().ok()?;
            Some(Duration::from_micros(number.checked_mul(micros)?))
        })
    }

    /// The value of `key` as whatever `parse` makes of it; `form` tells people what it accepts.
    ///
    /// # Errors
    /// [`AddressProblem::BadValue`] where `parse` says `None`.
    pub fn parse_with<T>(
        &self,
        key: &str,
        form: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, AddressError> {
        let Some(text) = self.value(key) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.error_at(key, AddressProblem::BadValue(form))),
        }
    }

    /// An error about the value of `key`.
    #[must_use]
    pub fn error_at(&self, key: &str, problem: AddressProblem) -> AddressError {
        self.error(self.position(key) + key.len() + 1, problem)
    }

    /// An error about the name.
    #[must_use]
    pub fn error_at_name(&self, problem: AddressProblem) -> AddressError {
        self.error(self.scheme.len() + 1, problem)
    }

    pub(crate) fn error(&self, at: usize, problem: AddressProblem) -> AddressError {
        let input = self.to_string();
        AddressError { input, at, problem }
    }

    /// Where `key` starts in the canonical text.
    fn position(&self, key: &str) -> usize {
        let input = self.to_string();
        let query = input.find('?').unwrap_or(input.len());
        let tail = input.get(query..).unwrap_or_default();
        let found = ['?', '&']
            .iter()
            .find_map(|mark| tail.find(&format!("{mark}{key}=")));
        query + found.unwrap_or_default() + 1
    }
}

/// As one writes it, so that errors that `main` returns can be read.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// No transport has this scheme; these have one.
    UnknownScheme(Vec<&'static str>),
    /// The transport has no such key; it has these.
    UnknownKey(Vec<&'static str>),
    /// A value that the key does not take; it takes this.
    BadValue(&'static str),
    /// A name that the transport cannot use, and why.
    BadName(&'static str),
}

impl fmt::Display for AddressProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnknownScheme(known) => {
                return write!(
                    f,
                    "no transport has this scheme; use one of {}",
                    known.join(", ")
                );
            }
            Self::UnknownKey(known) if known.is_empty() => {
                return f.write_str("this transport takes no key; remove it");
            }
            Self::UnknownKey(known) => {
                return write!(f, "no such key; this transport takes {}", known.join(", "));
            }
            Self::BadValue(form) => return write!(f, "this key takes {form}"),
            Self::BadName(why) => why,
            Self::NoScheme => "start with a scheme, as in pipe: or fifo:/tmp/x",
            Self::BadScheme => "a scheme holds a-z, 0-9, '+', '-' and '.' only",
            Self::BadEscape => "write '%' as %25, or two hexadecimal digits after it",
            Self::Nul => "a NUL byte is not allowed; remove it",
            Self::NotText => "the value is not UTF-8; give it as text",
            Self::NotKeyValue => "write parameters as key=value, joined by '&'",
            Self::DoubledKey => "this key is given twice; keep one",
        };
        f.write_str(text)
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
