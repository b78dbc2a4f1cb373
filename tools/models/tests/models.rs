//! Every model that is no longer than a test may be.

use laneway_models::models;

#[test]
fn every_model_accepts_what_loom_finds() {
    let mut count = 0;
    for model in models::all().filter(|model| !model.long) {
        model.check(None);
        count += 1;
    }
    assert!(count > 20, "only {count} models");
}
