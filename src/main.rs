//! The `mock-sse` command. All of it is in the library.

fn main() -> std::process::ExitCode {
    mock_sse::cli::main()
}
