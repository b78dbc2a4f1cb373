//! What to tell.

use crate::sweep::Result;

/// Prints the table, and what is wrong.
pub(crate) fn print(results: &[Result]) {
    println!(
        "| transport | senders killed | receivers killed | messages | lost in hands (could be) | received again (could be) | streams cut | points (least deaths at one) | longest stall | seconds | problems |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for Result {
        name,
        total,
        took,
        hits,
    } in results
    {
        let tally = total.tally;
        let points = match hits {
            Some(hits) => {
                let (count, least) = hits.summary();
                format!("{count} ({least})")
            }
            None => "–".to_owned(),
        };
        println!(
            "| `{name}` | {} | {} | {} | {} ({}) | {} ({}) | {} | {points} | {:.1} ms | {:.0} | {} |",
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
    for Result { name, total, .. } in results {
        for wrong in &total.wrong {
            println!("\n{name} {wrong}");
        }
    }
}
