//! A program as `objdump` shows it: functions, and what each of them calls.

use std::{collections::BTreeMap, path::Path, process::Command};

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A function of this program, by address.
    Here(u64),
    /// A function of a shared library, by name.
    Library(String),
    /// Only the running program knows: a vtable, a closure, a function pointer.
    Indirect,
}

/// A call, or a jump that leaves the function for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its address.
    pub(crate) at: u64,
    /// Where it goes.
    pub(crate) target: Target,
}

/// A function.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its demangled name.
    pub(crate) name: String,
    /// What it calls.
    pub(crate) calls: Vec<Call>,
}

/// A program.
#[derive(Debug)]
pub(crate) struct Listing {
    /// By address.
    pub(crate) functions: BTreeMap<u64, Function>,
}

impl Listing {
    /// Disassembles the program at `path`.
    pub(crate) fn of(path: &Path) -> Result<Self, String> {
        let relocations = objdump(&["-R"], path)?;
        let code = objdump(&["-d", "--no-show-raw-insn", "--demangle"], path)?;
        Ok(Self::parse(&code, &slots(&relocations)))
    }

    fn parse(code: &str, slots: &BTreeMap<u64, Target>) -> Self {
        let mut functions = BTreeMap::new();
        // A heading stands before its instructions.
        let mut instructions = Vec::new();
        for line in code.lines().rev() {
            if let Some(instruction) = instruction(line) {
                instructions.push(instruction);
            } else if let Some((start, name)) = heading(line) {
                instructions.reverse();
                let name = name.to_owned();
                let calls = calls(start, &instructions, slots);
                functions.insert(start, Function { name, calls });
                instructions.clear();
            }
        }
        Self { functions }
    }

    /// The function at an address.
    pub(crate) fn at(&self, address: u64) -> Option<&Function> {
        self.functions.get(&address)
    }

    /// The function of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Function> {
        self.functions.values().find(|f| f.name == name)
    }
}

fn objdump(options: &[&str], path: &Path) -> Result<String, String> {
    let output = Command::new("objdump").args(options).arg(path).output();
    let output = output.map_err(|e| format!("objdump: {e}; install binutils"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}

/// What the loader writes where, as far as calls go through it.
fn slots(relocations: &str) -> BTreeMap<u64, Target> {
    let slot = |line: &str| {
        let mut words = line.split_whitespace();
        let at = hex(words.next()?)?;
        let (_, value) = (words.next()?, words.next()?);
        let target = match value.strip_prefix("*ABS*+0x") {
            Some(address) => Target::Here(hex(address)?),
            None => Target::Library(value.split('@').next()?.to_owned()),
        };
        Some((at, target))
    };
    relocations.lines().filter_map(slot).collect()
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// `000000000002aee0 <name>:`
fn heading(line: &str) -> Option<(u64, &str)> {
    let (address, name) = line.strip_suffix(">:")?.split_once(" <")?;
    Some((hex(address)?, name))
}

/// `   2aee0:`, a tab, `push   %rbp`
fn instruction(line: &str) -> Option<(u64, &str)> {
    let (address, text) = line.split_once(":\t")?;
    Some((hex(address.trim())?, text.trim()))
}

/// The calls of the function at `start`.
fn calls(start: u64, lines: &[(u64, &str)], slots: &BTreeMap<u64, Target>) -> Vec<Call> {
    let end = lines.last().map_or(start, |(at, _)| at + 1);
    let mut calls = Vec::new();
    let mut before = "";
    for (n, &(at, text)) in lines.iter().enumerate() {
        let text = text
            .trim_start_matches("addr32 ")
            .trim_start_matches("notrack ");
        let (verb, operand) = text.split_once(' ').unwrap_or((text, ""));
        let operand = operand.trim();
        let is_call = verb.starts_with("call");
        // A table of jumps is read with an `add` right before.
        let is_table = operand.starts_with("*%") && before.starts_with("add ");
        if is_call || verb.starts_with('j') && !is_table {
            let target = match operand.strip_prefix("*%") {
                Some(register) => held(register, lines.get(..n).unwrap_or_default(), slots),
                None => target(operand, slots),
            };
            let leaves = !matches!(target, Target::Here(to) if (start..end).contains(&to));
            if is_call || leaves {
                calls.push(Call { at, target });
            }
        }
        before = text;
    }
    calls
}

/// What a register holds: perhaps what the loader wrote, loaded well before a loop.
fn held(register: &str, before: &[(u64, &str)], slots: &BTreeMap<u64, Target>) -> Target {
    let load = before.iter().rev().find_map(|(_, text)| {
        let operands = text.split('#').next()?.trim_end();
        let writes = operands.strip_suffix(register)?.ends_with(",%");
        writes.then_some(*text)
    });
    match load {
        Some(load) if load.starts_with("mov ") => target(&format!("*{load}"), slots),
        _ => Target::Indirect,
    }
}

fn target(operand: &str, slots: &BTreeMap<u64, Target>) -> Target {
    if !operand.starts_with('*') {
        let address = operand.split(' ').next().and_then(hex);
        return address.map_or(Target::Indirect, Target::Here);
    }
    // `*0x62af5(%rip)        # 9b740 <memcpy@GLIBC_2.14>`
    let slot = operand
        .split_once("# ")
        .and_then(|(_, rest)| rest.split(' ').next());
    let known = slot.and_then(hex).and_then(|slot| slots.get(&slot));
    known.cloned().unwrap_or(Target::Indirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELOCATIONS: &str = "
OFFSET           TYPE              VALUE
0000000000009010 R_X86_64_RELATIVE  *ABS*+0x0000000000002000
0000000000009020 R_X86_64_GLOB_DAT  memcpy@GLIBC_2.14
";
    const CODE: &str = "
0000000000001000 <a::f>:
    1000:\tcall   2000 <a::g>
    1005:\tcall   *0x8000(%rip)        # 9010 <_DYNAMIC+0x3a8>
    100b:\tcall   *0x8000(%rip)        # 9020 <memcpy@GLIBC_2.14>
    1011:\tcall   *0x18(%rax)
    1014:\tjne    1000 <a::f>
    1016:\tadd    %rcx,%rax
    1019:\tjmp    *%rax
    101b:\tjmp    2000 <a::g>
0000000000002000 <a::g>:
    2000:\tmov    (%rdi),%rax
    2003:\tjmp    *%rax
0000000000003000 <a::h>:
    3000:\tmov    0x8000(%rip),%r15        # 9010 <_DYNAMIC+0x3a8>
    3007:\tmov    (%rdi),%rax
    300a:\tcall   *%r15
    300d:\tpop    %r15
";

    #[test]
    fn every_way_to_leave_a_function_is_a_call() {
        let listing = Listing::parse(CODE, &slots(RELOCATIONS));
        let targets = |name| -> Vec<Target> {
            let calls = &listing.named(name).expect("listed").calls;
            calls.iter().map(|call| call.target.clone()).collect()
        };
        let memcpy = Target::Library("memcpy".to_owned());
        let g = Target::Here(0x2000);
        assert_eq!(targets("a::h"), std::slice::from_ref(&g));
        assert_eq!(
            targets("a::f"),
            [g.clone(), g.clone(), memcpy, Target::Indirect, g]
        );
        assert_eq!(targets("a::g"), [Target::Indirect]);
    }
}
