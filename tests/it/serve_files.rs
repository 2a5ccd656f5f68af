//! Published files over HTTP: for ever, in parts, and nothing else, whatever is asked for.

use std::os::unix::fs::symlink;

use crate::project::Project;
use crate::served::Server;

/// Returns the address of a picture, as its row has it.
fn picture(server: &Server) -> String {
    let row = server.get("/api/people/age/young/photo").expect(200).json();
    row["image_url"].as_str().unwrap().to_owned()
}

#[test]
fn a_picture_is_served_under_the_address_in_its_row_whole_in_parts_and_for_ever() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let url = picture(&server);
    let whole = server.get(&url).expect(200);
    assert_eq!(whole.header("content-type"), "image/jpeg");
    assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.body[..3], [0xff, 0xd8, 0xff]);
    let length = whole.body.len();
    let tag = whole.header("etag").to_owned();
    for (range, first, last) in [("bytes=0-9", 0, 9), ("bytes=5-", 5, length - 1), ("bytes=-4", length - 4, length - 1)]
    {
        let part = server.ask("GET", &url, &[("range", range)]).expect(206);
        assert_eq!(part.body, whole.body[first..=last], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/{length}"));
    }
    server.ask("GET", &url, &[("range", "bytes=999999-")]).expect(416);
    server.ask("GET", &url, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).expect(200);
    server.ask("GET", &url, &[("if-none-match", &tag)]).expect(304);
    let head = server.ask("HEAD", &url, &[]).expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, length.to_string().as_str()));
}

#[test]
fn a_large_file_comes_whole_although_it_is_sent_in_pieces() {
    let project = Project::applied();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(project.storage().join("people/large.png"), &bytes).unwrap();
    let server = Server::of(&project, &[]);
    assert!(server.get("/files/people/large.png").expect(200).body == bytes);
    let part = server.ask("GET", "/files/people/large.png", &[("range", "bytes=1000000-2500000")]).expect(206);
    assert!(part.body == bytes[1_000_000..=2_500_000]);
}

#[test]
fn nothing_outside_of_the_published_files_is_served_however_it_is_spelled() {
    let project = Project::applied();
    let original = project.listing().into_keys().find_map(|path| {
        let path = path.to_str().unwrap().split_once(".pixform/storage/")?.1.to_owned();
        (path.starts_with("originals/") && path.ends_with(".png")).then_some(path)
    });
    project.write("secret.txt", "hush");
    let storage = project.storage();
    std::fs::write(storage.join("people/.hidden.png"), "hush").unwrap();
    symlink(project.root().join("secret.txt"), storage.join("people/link.png")).unwrap();
    symlink(project.root(), storage.join("people/folder")).unwrap();
    symlink(storage.join("originals"), storage.join("people/back")).unwrap();
    let server = Server::of(&project, &[]);
    let name = picture(&server).rsplit('/').next().unwrap().to_owned();
    let inside = format!("/files/people/{name}");
    server.get(&inside).expect(200);
    let mut targets: Vec<String> = [
        "/files/../secret.txt",
        "/files/../../secret.txt",
        "/files/people/../../../secret.txt",
        "/files/people/..%2f..%2f..%2fsecret.txt",
        "/files/%2e%2e/%2e%2e/secret.txt",
        "/files/%2E%2E%2F%2E%2E%2Fsecret.txt",
        "/files/.%2e/.%2e/secret.txt",
        "/files/..%5c..%5csecret.txt",
        "/files/..\\..\\secret.txt",
        "/files/%252e%252e/%252e%252e/secret.txt",
        "/files/%c0%ae%c0%ae/%c0%ae%c0%ae/secret.txt",
        "/files/%uff0e%uff0e/secret.txt",
        "/files/....//....//secret.txt",
        "/files/..;/..;/secret.txt",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/people/link.png",
        "/files/people/folder/secret.txt",
        "/files/people/back/.pixform-store",
        "/files/people/.hidden.png",
        "/files/originals/.pixform-store",
        "/files/originals%2f.pixform-store",
        "/files/%6f%72iginals/.pixform-store",
        "/files/./originals/.pixform-store",
        "/files/people/../originals/.pixform-store",
        "/files/originals/",
        "/files/",
        "/files",
        "/files/people",
        "/files/people/",
        "/files/people/%00.png",
        "/files/.pixform-store",
    ]
    .map(str::to_owned)
    .into();
    targets.push(format!("{inside}%00"));
    targets.push(format!("{inside}%00.txt"));
    targets.push(format!("{inside}/"));
    targets.push(format!("/files/people%5c{name}"));
    targets.push(format!("/files/{}", original.expect("an original is kept")));
    for target in &targets {
        let got = server.get(target);
        assert!(matches!(got.status, 400 | 404), "{target}: {}", got.status);
        assert!(!String::from_utf8_lossy(&got.body).contains("hush"), "{target}");
    }
    server.get(&inside).expect(200);
}

#[test]
fn a_mounted_folder_shows_its_files_and_nothing_beside_it() {
    let project = Project::applied();
    project.write("page/index.html", "<p>hello</p>");
    project.write("page/.env", "hush");
    project.write("secret.txt", "hush");
    symlink(project.root().join("secret.txt"), project.root().join("page/link.txt")).unwrap();
    let server = Server::of(&project, &["--static", "page"]);
    let got = server.get("/create-character/").expect(200);
    assert_eq!((got.text().as_str(), got.header("content-type")), ("<p>hello</p>", "text/html; charset=utf-8"));
    assert!(got.header("content-security-policy").contains("script-src 'self'"));
    assert_eq!(server.get("/create-character").expect(308).header("location"), "/create-character/");
    for target in ["link.txt", ".env", "../secret.txt", "%2e%2e/secret.txt", "nothing.html", ""] {
        let target = format!("/create-character/{target}");
        let got = server.get(&target);
        assert!(!got.text().contains("hush"), "{target}");
        assert_eq!(got.status, if target.ends_with("character/") { 200 } else { 404 }, "{target}");
    }
    project.run(&["serve", "--static", "nowhere"]).expect(1);
}
