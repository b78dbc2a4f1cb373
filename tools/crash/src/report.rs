//! What to tell.

use crate::sweep::Result;

/// Prints the head of the table.
pub(crate) fn head() {
    println!(
        "| transport | senders killed | receivers killed | messages | lost in hands (could be) | received again (could be) | streams cut | points (least deaths at one) | longest stall | seconds | problems |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
}

/// Prints a line of the table.
pub(crate) fn line(result: &Result) {
    let Result {
        name,
        total,
        took,
        hits,
    } = result;
    let tally = total.tally;
    let points = match hits {
        Some(hits) => {
            let (count, least) = hits.summary();
            format!("{count} ({least})")
        }
        None => "–".to_owned(),
    };
    println!(
        "| `{name}` | {} | {} | {} | {} ({}) | {} ({}) | {} | {points} | {:.0} ms | {:.0} | {} |",
        total.senders,
        total.receivers,
        tally.messages,
        tally.lost,
        tally.may_lose,
        tally.again,
        tally.may_come_again,
        total.torn,
        total.stall.as_secs_f64() * 1e3,
        took.as_secs_f64(),
        total.wrong.len()
    );
}

/// Prints the last line, and what is wrong.
pub(crate) fn end(results: &[Result]) {
    let sum = |count: fn(&Result) -> u64| results.iter().map(count).sum::<u64>();
    let stall = results.iter().map(|result| result.total.stall).max();
    println!(
        "| all | {} | {} | {} | | | {} | | {:.0} ms | {:.0} | {} |",
        sum(|result| result.total.senders),
        sum(|result| result.total.receivers),
        sum(|result| result.total.tally.messages),
        sum(|result| result.total.torn),
        stall.unwrap_or_default().as_secs_f64() * 1e3,
        results
            .iter()
            .map(|result| result.took.as_secs_f64())
            .sum::<f64>(),
        sum(|result| result.total.wrong.len() as u64),
    );
    let late = results.iter().map(|result| result.total.late).max();
    println!(
        "\nThe longest time without progress was {:.0} ms; this process itself got no core for {:.0} ms.",
        stall.unwrap_or_default().as_secs_f64() * 1e3,
        late.unwrap_or_default().as_secs_f64() * 1e3
    );
    for Result { name, total, .. } in results {
        for wrong in &total.wrong {
            println!("\n{name} {wrong}");
        }
    }
}
