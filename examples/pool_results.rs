//! One function for many items: all results, results in order as they come, results as they come: `cargo run --example pool_results`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use laneway::process::{Entries, Pool};

/// The words of a text, the longest first.
fn words(text: String) -> Vec<String> {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

fn cube(x: u64) -> u64 {
    assert!(x != 13, "{x} brings bad luck");
    x * x * x
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries = Entries::new().function("words", words);
    entries.function("cube", cube).serve();

    let pool = Pool::<String, Vec<String>>::new(4)?;
    let texts = ["to be or not", "that is the question"].map(str::to_owned);
    println!("{:?}", pool.map("words", &texts)?);
    pool.join();

    let pool = Pool::<u64, u64>::builder().workers(4).start()?;
    println!("{:?}", pool.map("cube", 0..8)?);

    // In order, each when it is there; numbers are pulled as results are, so there may be endlessly many.
    for cube in pool.imap("cube", 1..).chunk(4).take(3) {
        println!("in order: {}", cube?);
    }

    // Whichever is ready, with its place.
    let mut sum = 0;
    for (place, cube) in pool.imap_unordered("cube", 100..200) {
        assert_eq!(cube.as_ref().ok(), Some(&(place as u64 + 100).pow(3)));
        sum += cube?;
    }
    println!("in any order: {sum}");

    // What fails fails alone.
    let results: Vec<_> = pool.imap("cube", 12..15).collect();
    for result in results {
        match result {
            Ok(cube) => println!("{cube}"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
