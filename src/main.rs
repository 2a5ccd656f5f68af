//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    pixform::cli::main(pixform::generator::KINDS)
}
