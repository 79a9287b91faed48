//! A command line and an environment: no panic, what they say is in its range, and they are left
//! as they were.
#![no_main]

use fuzz::List;
use libfuzzer_sys::fuzz_target;
use tino::Tino;
use tino::flags::Id;
use tino::personality::Personality;
use tino::sys::{Image, Text, Texts};

fuzz_target!(|input: &[u8]| {
    let mut halves = input.splitn(2, |byte| *byte == 1);
    let mut words = List::new(halves.next().unwrap_or_default());
    let mut environment = List::new(halves.next().unwrap_or_default());
    let (words, environment) = (words.texts(), environment.texts());
    let all = |texts: Texts| -> Vec<Vec<u8>> { texts.map(|text| text.bytes().to_vec()).collect() };
    let before = (all(words), all(environment));
    // SAFETY: there is nothing in it.
    let nothing = unsafe { Image::new(std::ptr::null(), std::ptr::null()) };
    let mut tino = Tino::new(words, environment, 0, nothing);
    tino.stand_in_for(Personality::of(words.get(0).map_or(Text::NONE, |name| *name)));
    // Below the level of any message but of those that end the program.
    tino.log.verbosity = 0;
    if let Some(index) = tino.each_word(Tino::take) {
        let count = words.count();
        assert!(index <= count.max(1), "{index} of {count}");
    }
    tino.take_variables_of_peers();
    tino.each_variable(Tino::take);
    tino.settle();
    assert!(tino.log.verbosity <= 4);
    assert!(tino.number(Id::ParentDeathSignal) <= 64);
    for signal in 1..=64 {
        assert!((0..=64).contains(&tino.passed_on(signal)));
    }
    assert_eq!((all(words), all(environment)), before, "a word was cut, and not joined again");
});
