//! The adapter through which `make conformance` tests this client (docs/conformance.md).
mod live;
mod vectors;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["vectors", folder] => vectors::run(folder.as_ref()),
        ["live"] => live::run(),
        _ => {
            eprintln!("usage: conformance vectors FOLDER | live");
            std::process::exit(2);
        }
    }
}
