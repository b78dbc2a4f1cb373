//! What is timed round by round, and the table of it.

/// A way to have something done.
pub(super) struct Way {
    who: String,
    what: String,
    /// How many a second, of each round.
    rates: Vec<f64>,
}

impl Way {
    pub(super) fn new(who: &str, what: &str) -> Self {
        Self {
            who: who.to_owned(),
            what: what.to_owned(),
            rates: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, count: u64, seconds: f64) {
        self.rates.push(count as f64 / seconds);
    }

    /// The rate below which this share of the rounds is.
    fn quantile(&self, share: f64) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[((rates.len() - 1) as f64 * share).round() as usize]
    }
}

/// Several, those of one kind next to each other, ours first.
pub(super) struct Ways {
    pub(super) ways: Vec<Way>,
    pub(super) title: String,
    /// What the first column is.
    pub(super) head: &'static str,
}

impl Ways {
    pub(super) fn print(&self, markdown: bool) {
        let form = |cells: [&str; 6]| match (markdown, cells) {
            (true, cells) => println!("| {} |", cells.join(" | ")),
            (false, [a, b, c, d, e, f]) => {
                println!("{a:18} {b:13} {c:>9} {d:>9} {e:>9} {f:>10}");
            }
        };
        if markdown {
            println!("{}\n", self.title);
        }
        form([
            self.head,
            "who",
            "median",
            "slowest",
            "fastest",
            "ours / it",
        ]);
        if markdown {
            form(["---", "---", "---:", "---:", "---:", "---:"]);
        }
        let mut ours = f64::NAN;
        for way in self.ways.iter().filter(|way| !way.rates.is_empty()) {
            let rates = [0.5, 0.0, 1.0].map(|share| way.quantile(share));
            let [median, low, high] = rates.map(|rate| format!("{:.0}", rate / 1e3));
            let mut times = String::new();
            if way.who == "laneway" {
                ours = rates[0];
            } else {
                times = format!("{:.1}", ours / rates[0]);
            }
            form([&way.what, &way.who, &median, &low, &high, &times]);
        }
    }
}
