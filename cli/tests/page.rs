//! The page of `choose --html`, as a browser shows it: the plots carry the data of the JSON.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// Asks the browser where it has drawn what.
const PROBE: &str = r#"<script>
const at = e => { const b = e.getBoundingClientRect();
  return {x: (b.left + b.right) / 2, y: (b.top + b.bottom) / 2, width: b.width, height: b.height}; };
const told = e => ({...e.dataset, address: e.closest('[data-address]')?.dataset.address,
  fill: getComputedStyle(e).fill, ...at(e)});
const plots = {};
for (const svg of document.querySelectorAll('svg[id]')) plots[svg.id] = {
  box: at(svg), ticks: [...svg.querySelectorAll('.tick')].map(told), marks: [...svg.querySelectorAll('circle, rect')].map(told) };
const style = getComputedStyle(document.body);
const pre = document.createElement('pre');
pre.id = 'told';
pre.textContent = JSON.stringify({plots, back: style.backgroundColor, text: style.color,
  wide: document.documentElement.scrollWidth > innerWidth, requests: performance.getEntriesByType('resource').length,
  data: JSON.parse(document.getElementById('data').textContent)});
document.body.append(pre);
</script></body>"#;

/// A folder that goes when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("laneway-page.{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("makes a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn laneway(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laneway"));
    command.arg("choose").args(arguments).stdin(Stdio::null());
    let output = command.output().expect("runs");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3 | 4)), "{output:?}");
}

fn read(path: &str) -> Value {
    let text = fs::read_to_string(path).expect("was written");
    serde_json::from_str(&text).expect("JSON")
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut all = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| Path::new(&folder).join(name)));
    all.find(|program| program.is_file())
}

/// What the browser tells of the page, in a colour scheme: 0 is dark, 1 light.
fn told(browser: &Path, folder: &Folder, page: &str, scheme: u8) -> Value {
    let probed = folder.file("probed.html");
    let html = fs::read_to_string(page).expect("was written");
    fs::write(&probed, html.replace("</body>", PROBE)).expect("writes");
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg("--window-size=1280,1600")
        .arg(format!("--user-data-dir={}", folder.file("profile")))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("file://{probed}"))
        .stdin(Stdio::null());
    let output = command.output().expect("runs");
    let dom = String::from_utf8(output.stdout).expect("text");
    let (_, told) = dom
        .split_once("<pre id=\"told\">")
        .unwrap_or_else(|| panic!("the probe did not run: {dom}"));
    let told = told.split("</pre>").next().expect("its end");
    let told = told
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&told).expect("JSON")
}

fn number(value: &Value) -> f64 {
    let text = value.as_str().map(|text| text.parse().expect("a number"));
    text.or_else(|| value.as_f64())
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// Where a number belongs on an axis of a plot, by two of its ticks.
fn place(plot: &Value, axis: &str, scale: fn(f64) -> f64, value: f64) -> f64 {
    let coordinate = axis;
    let ticks = list(&plot["ticks"]).iter();
    let ticks: Vec<(f64, f64)> = ticks
        .filter(|tick| tick["axis"] == axis)
        .map(|tick| (scale(number(&tick["value"])), number(&tick[coordinate])))
        .collect();
    let ((a, from), (b, to)) = (ticks[0], ticks[ticks.len() - 1]);
    from + (scale(value) - a) / (b - a) * (to - from)
}

/// The mark that has all these words.
fn mark<'a>(plot: &'a Value, words: &[(&str, &str)]) -> &'a Value {
    let mut marks = list(&plot["marks"]).iter();
    let has = |mark: &&Value| words.iter().all(|(key, word)| mark[*key] == *word);
    marks
        .find(has)
        .unwrap_or_else(|| panic!("no mark with {words:?}"))
}

fn near(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 1.0, "{what}: drawn at {a}, belongs at {b}");
}

/// Asserts that two values are the same, however their numbers are written.
fn same(a: &Value, b: &Value, what: &str) {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => assert_eq!(a.as_f64(), b.as_f64(), "{what}"),
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{what}");
            a.iter().zip(b).for_each(|(a, b)| same(a, b, what));
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{what}");
            a.iter().for_each(|(key, a)| same(a, &b[key], key));
        }
        _ => assert_eq!(a, b, "{what}"),
    }
}

/// Those with figures.
fn measured(comparison: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let reports = list(&comparison["reports"]).iter();
    let reports = reports.filter(|report| report["outcome"] == "measured");
    reports.map(|report| (report["address"].as_str().expect("text"), report))
}

fn latencies_are_drawn(data: &Value, plot: &Value) {
    let quantiles = [
        ("p50", "p50", 2.0),
        ("p90", "p90", 10.0),
        ("p99", "p99", 100.0),
        ("p99.9", "p999", 1e3),
        ("p99.99", "p9999", 1e4),
    ];
    let mut drawn = 0;
    for (address, report) in measured(data) {
        let percentiles = &report["arrivals"]["percentiles"];
        for (word, key, rarity) in quantiles {
            let Some(nanos) = percentiles[key].as_f64() else {
                continue;
            };
            let mark = mark(plot, &[("address", address), ("quantile", word)]);
            let what = format!("{address} {word}");
            assert!((number(&mark["value"]) - nanos).abs() < 1e-6, "{what}");
            near(
                number(&mark["y"]),
                place(plot, "y", f64::log10, nanos),
                &what,
            );
            near(
                number(&mark["x"]),
                place(plot, "x", f64::log10, rarity),
                &what,
            );
            drawn += 1;
        }
    }
    assert!(drawn > 4, "percentiles");
    assert_eq!(list(&plot["marks"]).len(), drawn, "and nothing else");
}

fn processor_time_is_drawn(data: &Value, plot: &Value) {
    let zero = place(plot, "x", |n| n, 0.0);
    for (address, report) in measured(data) {
        for side in ["producers", "consumers"] {
            let nanos = number(&report["arrivals"]["prices"][side]["cpu"]["median"]);
            let mark = mark(plot, &[("address", address), ("side", side)]);
            let what = format!("{address} {side}");
            // It may be 0.
            let difference = (number(&mark["value"]) - nanos).abs();
            assert!(difference <= 1e-9 * nanos, "{what}");
            let long = place(plot, "x", |n| n, nanos) - zero;
            near(number(&mark["width"]), long, &what);
        }
    }
}

fn throughput_is_drawn(comparison: &Value, size: f64, plot: &Value) {
    for (address, report) in measured(comparison) {
        let rate = number(&report["throughput"]["rate"]["median"]);
        let marks = list(&plot["marks"]).iter();
        let mut of_size = marks.filter(|mark| (number(&mark["size"]) - size).abs() < 1e-9);
        let mark = of_size
            .find(|mark| mark["address"] == address)
            .expect("drawn");
        let what = format!("{address} {size} B");
        assert!((number(&mark["value"]) / rate - 1.0).abs() < 1e-9, "{what}");
        near(
            number(&mark["y"]),
            place(plot, "y", f64::log10, rate),
            &what,
        );
        near(
            number(&mark["x"]),
            place(plot, "x", f64::log10, size),
            &what,
        );
    }
}

fn answers_are_drawn(data: &Value, plot: &Value) {
    let cell = |label: &str| mark(plot, &[("row", "size"), ("label", label)]);
    let (asked, other) = (cell("64 B"), cell("1 KiB"));
    let pick = |cell: &Value, recommendation: &Value| {
        let pick = recommendation["pick"].as_str();
        assert_eq!(cell["pick"].as_str(), pick);
    };
    pick(asked, &data["recommendation"]);
    let neighbours = list(&data["neighbours"]).iter();
    let mut larger = neighbours.filter(|n| n["workload"]["sizes"]["fixed"] == 1024);
    pick(other, &larger.next().expect("there")["recommendation"]);
    assert!(number(&asked["x"]) < number(&other["x"]), "in order");
}

#[test]
fn plots_carry_the_data_of_the_json() {
    let folder = Folder::new();
    let [saved, larger, page] = ["64.json", "1024.json", "page.html"].map(|name| folder.file(name));
    let rate = ["--time", "1.5", "--rate", "20k/s"];
    laneway(&[&rate[..], &["--size", "64", "--json", &saved]].concat());
    laneway(&[&rate[..], &["--size", "1KiB", "--json", &larger]].concat());
    // The second run stands in the first as its neighbour, and nothing else does, so that the test knows what to find.
    let mut choice = read(&saved);
    let mut other = read(&larger);
    let comparison = ["reports", "floors", "hiccups", "distance", "shares"];
    let comparison = comparison.map(|key| (key.to_owned(), other[key].take()));
    choice["neighbours"] = json!([{
        "axis": "size", "times": 16.0, "workload": other["needs"]["workload"],
        "comparison": Value::Object(comparison.into_iter().collect()),
        "recommendation": other["recommendation"],
    }]);
    // A text that would end the element that holds the data, if it were not written with care.
    choice["machine"]["cpu"] = "</script><b>& \"quoted\"".into();
    fs::write(&saved, choice.to_string()).expect("writes");
    laneway(&["--replay", &saved, "--html", &page]);

    let html = fs::read_to_string(&page).expect("was written");
    for outside in ["://", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    let Some(browser) = chromium() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no Chromium is installed to show the page"
        );
        return;
    };
    let schemes = [0, 1].map(|scheme| told(&browser, &folder, &page, scheme));
    for told in &schemes {
        let (data, plots) = (&told["data"], &told["plots"]);
        for key in [
            "machine",
            "reports",
            "neighbours",
            "floors",
            "recommendation",
        ] {
            same(&data[key], &choice[key], key);
        }
        assert_eq!(
            (&told["wide"], &told["requests"]),
            (&json!(false), &json!(0))
        );
        latencies_are_drawn(data, &plots["latency"]);
        processor_time_is_drawn(data, &plots["cpu"]);
        throughput_is_drawn(data, 64.0, &plots["sizes"]);
        throughput_is_drawn(
            &data["neighbours"][0]["comparison"],
            1024.0,
            &plots["sizes"],
        );
        answers_are_drawn(data, &plots["flips"]);
    }
    let [dark, light] = &schemes;
    for colour in ["back", "text"] {
        assert_ne!(dark[colour], light[colour], "{colour}");
    }
    let fill = |told: &Value| told["plots"]["latency"]["marks"][0]["fill"].clone();
    assert_ne!(fill(dark), fill(light));
}
