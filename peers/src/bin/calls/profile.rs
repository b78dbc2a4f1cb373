//! How often each instruction ran, as callgrind writes it down.

use std::collections::HashMap;

/// How often each instruction of the program ran, by address.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// All instructions, those of libraries too.
    pub(crate) total: u64,
    counts: HashMap<u64, u64>,
}

impl Profile {
    /// Reads what `--dump-instr=yes` writes; `program` ends the path of the program.
    pub(crate) fn parse(text: &str, program: &str) -> Option<Self> {
        let mut profile = Self::default();
        let mut objects: HashMap<&str, bool> = HashMap::new();
        let (mut ours, mut address) = (false, 0_u64);
        let mut inclusive = false;
        for line in text.lines() {
            if let Some((key, object)) = line.split_once("ob=(") {
                let (id, name) = object.split_once(')')?;
                if !name.is_empty() {
                    objects.insert(id, name.ends_with(program));
                }
                if key.is_empty() {
                    ours = *objects.get(id)?;
                }
                continue;
            }
            if line.starts_with("calls=") {
                // What the callee took is told on the next line, and at the callee's own lines again.
                inclusive = true;
                continue;
            }
            let mut words = line.split(' ');
            let (Some(place), Some(_), Some(count), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            address = match place.split_at_checked(1) {
                Some(("*", "")) => address,
                Some(("+", by)) => address.checked_add(by.parse().ok()?)?,
                Some(("-", by)) => address.checked_sub(by.parse().ok()?)?,
                _ => match place.strip_prefix("0x") {
                    Some(hex) => u64::from_str_radix(hex, 16).ok()?,
                    None => continue,
                },
            };
            if std::mem::take(&mut inclusive) {
                continue;
            }
            profile.total += count;
            if ours {
                *profile.counts.entry(address).or_default() += count;
            }
        }
        (profile.total > 0).then_some(profile)
    }

    /// How often the instruction at an address ran.
    pub(crate) fn at(&self, address: u64) -> u64 {
        self.counts.get(&address).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_lines_count_and_those_of_callees_once() {
        let text = "positions: instr line\nevents: Ir\nob=(1) /x/codegen\nfn=(1) main\n0x1000 0 5\n+4 0 5\n\
                    cob=(2) /lib/libc.so\ncfn=(2) memcpy\ncalls=5 0x50 0\n* 0 55\n+6 1 7\n\nob=(2)\nfn=(2)\n0x50 0 55\n";
        let profile = Profile::parse(text, "/codegen").expect("sound");
        assert_eq!(profile.total, 5 + 5 + 7 + 55);
        assert_eq!([profile.at(0x1000), profile.at(0x1004)], [5, 5]);
        assert_eq!([profile.at(0x100a), profile.at(0x50)], [7, 0]);
    }
}
