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

/// A size about so large: `12.3KiB`.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn about(size: usize) -> String {
    let mut scaled = size as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if scaled < 1023.95 || unit == "GiB" {
            let digits = usize::from(unit != "B" && scaled < 99.95);
            return format!("{scaled:.digits$}{unit}");
        }
        scaled /= 1024.0;
    }
    String::new()
}

/// How long something has been there, in its largest unit.
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    for (size, unit) in [(86_400, "d"), (3_600, "h"), (60, "min")] {
        if seconds >= size {
            return format!("{}{unit}", seconds / size);
        }
    }
    format!("{seconds}s")
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

/// How long to measure.
///
/// # Errors
/// What such a time looks like.
pub(crate) fn measuring(text: &str) -> Result<Duration, String> {
    let time = seconds(text).ok();
    let fits = |time: &Duration| (0.1..=86_400.0).contains(&time.as_secs_f64());
    time.filter(fits)
        .ok_or_else(|| "write seconds from 0.1 to 86400".to_owned())
}

/// A share of one core: `20%` or `0.2`.
///
/// # Errors
/// What one looks like.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, of) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().map(|number| number / of);
    let share = share.ok().filter(|share| *share > 0.0 && share.is_finite());
    share.ok_or_else(|| "write a share of one core, as in 20% or 0.2".to_owned())
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
    fn sizes_are_short() {
        let shown = [0, 1023, 1024, 12_600, 200 << 10, 3 << 30].map(about);
        assert_eq!(
            shown,
            ["0B", "1023B", "1.0KiB", "12.3KiB", "200KiB", "3.0GiB"]
        );
    }

    #[test]
    fn ages_show_their_largest_unit() {
        let shown = [0, 59, 60, 3_599, 7_200, 86_400 * 40].map(|s| age(Duration::from_secs(s)));
        assert_eq!(shown, ["0s", "59s", "1min", "59min", "2h", "40d"]);
    }

    #[test]
    fn shares_are_percent_or_parts() {
        assert_eq!((share("20%"), share("0.2")), (Ok(0.2), Ok(0.2)));
        assert!(share("150 %").is_ok(), "of two cores");
        for bad in ["", "%", "-1%", "0", "nan", "inf", "much"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_seconds() {
        assert!(
            measuring("0.1").is_ok() && measuring("0.01").is_err() && measuring("1e9").is_err()
        );
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("nan").is_err() && seconds("soon").is_err());
    }
}
