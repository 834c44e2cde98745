//! To the database by TLS: the certificate and the name in it are looked at, always.

use cosell_local_postgres::{LocalPostgres, Wanted};
use cosell_store::{PostgresStore, PostgresUrl, Store, StoreUrl};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority's certificate, and certificate and key of a server of that name.
fn issue(name: &str) -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    (authority.pem(), server.pem(), key.serialize_pem())
}

struct Served {
    folder: tempfile::TempDir,
    server: LocalPostgres,
}

fn serve(name: &str) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let (authority, certificate, key) = issue(name);
    let write = |file: &str, text: String| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    write("roots.pem", authority);
    write("empty.pem", String::new());
    let wanted = Wanted {
        tls: Some((write("server.pem", certificate), write("key.pem", key))),
        ..Wanted::default()
    };
    let server = LocalPostgres::start(&wanted).unwrap_or_else(|error| panic!("{error}"));
    Served { folder, server }
}

impl Served {
    fn url(&self, sslmode: &str, roots: &str) -> PostgresUrl {
        let roots = self.folder.path().join(roots);
        let more = format!("sslmode={sslmode}&sslrootcert={}", roots.display());
        match self.server.url_over_tcp(&more).parse() {
            Ok(StoreUrl::Postgres(url)) => *url,
            other => panic!("{other:?}"),
        }
    }

    async fn refused(&self, sslmode: &str, roots: &str) -> String {
        let error = PostgresStore::open(&self.url(sslmode, roots), None)
            .await
            .expect_err("refused");
        std::error::Error::source(&error).unwrap().to_string()
    }
}

#[tokio::test]
async fn a_server_whose_certificate_is_trusted_is_spoken_to() {
    let served = serve("localhost");
    // `require` looks at the certificate here, too: half of TLS is none.
    for sslmode in ["verify-full", "require"] {
        let store = PostgresStore::open(&served.url(sslmode, "roots.pem"), None)
            .await
            .unwrap();
        assert_eq!(store.census().await.unwrap().events, 0);
    }
    // The server takes nothing else over TCP, so it was TLS.
    let plain = served.refused("disable", "roots.pem").await;
    assert!(plain.contains("no encryption"), "{plain}");
}

#[tokio::test]
async fn another_name_or_an_unknown_authority_is_refused() {
    let served = serve("db.contoso.com");
    let name = served.refused("require", "roots.pem").await;
    assert!(name.contains("not valid for name"), "{name}");
    let stranger = serve("localhost");
    std::fs::copy(
        served.folder.path().join("roots.pem"),
        stranger.folder.path().join("others.pem"),
    )
    .unwrap();
    let unknown = stranger.refused("verify-full", "others.pem").await;
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    let missing = stranger.refused("verify-full", "missing.pem").await;
    assert!(missing.contains("missing.pem cannot be read"), "{missing}");
    let empty = stranger.refused("verify-full", "empty.pem").await;
    assert!(empty.contains("there is none in it"), "{empty}");
}
