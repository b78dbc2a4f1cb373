//! Sizes and times on the command line.

use std::time::Duration;

use laneway::Address;

/// A size as addresses write it: one grammar for `--size 64KiB` and `capacity=64KiB`.
///
/// # Errors
/// What a size looks like.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let key = "size";
    let parsed = Address::new(key, "").and_then(|address| address.with(key, text).size(key));
    match parsed {
        Ok(Some(size)) => Ok(size),
        Ok(None) => Err("no size".to_owned()),
        Err(error) => Err(error.problem.to_string()),
    }
}

/// A size as people write it, exactly: `64KiB`, or the number where no unit fits.
pub(crate) fn show(size: usize) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let number = size >> shift;
        if number > 0 && number << shift == size {
            return format!("{number}{unit}");
        }
    }
    size.to_string()
}

/// A time in seconds, with a fraction if need be.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| "give a number of seconds, such as 5 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_they_show() {
        for bytes in [1, 1000, 1 << 10, 65528, 64 << 10, 3 << 20, 1 << 30] {
            assert_eq!(size(&show(bytes)), Ok(bytes));
        }
        assert!(size("0").is_err() && size("64kb").is_err() && size("a&b=c").is_err());
    }

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("nan").is_err() && seconds("soon").is_err());
    }
}
