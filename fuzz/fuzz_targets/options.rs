//! A command line and an environment: no panic, and what they say is in its range.
#![no_main]

use fuzz::List;
use libfuzzer_sys::fuzz_target;
use tino::log::Log;
use tino::options::Options;
use tino::personality::Personality;
use tino::sys::Text;
use tino::words::Words;

fuzz_target!(|input: &[u8]| {
    let mut halves = input.splitn(2, |byte| *byte == 1);
    let mut words = List::new(halves.next().unwrap_or_default());
    let mut environment = List::new(halves.next().unwrap_or_default());
    let words = words.texts();
    let personality = Personality::of(words.get(0).unwrap_or(Text::of(c"")));
    // A level below that of any message keeps it quiet, but for what ends the program.
    let log = Log { personality, verbosity: 0, pid: 1 };
    let mut options = Options::new(personality);
    if let Some(index) = options.take_words(Words { log: &log, words }) {
        let count = words.count();
        assert!(index <= count.max(1), "{index} of {count}");
    }
    options.take_variables(environment.texts(), &mut |_| {});
    options.settle();
    assert!(options.parent_death_signal >= 0 && options.parent_death_signal <= 64);
    for signal in 1..=64 {
        assert!((0..=64).contains(&options.passed_on(signal)));
    }
    for code in 0..=255 {
        assert!([0, code].contains(&options.exit_code(code)));
    }
});
