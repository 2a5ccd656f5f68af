//! TLS to a Postgres server: whose certificate is believed.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::ServerProof;
use crate::files;
use crate::state::StateError;

/// Size of a file with certificates, in bytes: all authorities of a system have less than 1 MiB.
const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;

/// Returns what sets TLS up.
///
/// # Errors
/// [`StateError::Address`] where the authorities cannot be read.
pub(super) fn tls(proof: &ServerProof) -> Result<MakeRustlsConnect, StateError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions that are the default");
    let config = match proof {
        ServerProof::None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        ServerProof::Certificate(Some(file)) => builder.with_root_certificates(read(file)?),
        ServerProof::Certificate(None) => builder.with_root_certificates(system()?),
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn read(file: &Path) -> Result<RootCertStore, StateError> {
    let refused = |why: String| StateError::Address {
        problem: format!("the certificates in `{}` cannot be used: {why}", file.display()),
        help: "name a PEM file under `sslrootcert`; Supabase has it in the dashboard, under Database settings"
            .to_owned(),
    };
    let text = files::read(file, CERTIFICATES_BYTES_MAX).map_err(|error| refused(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text);
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() { Err(refused("it holds none".to_owned())) } else { Ok(roots) }
}

fn system() -> Result<RootCertStore, StateError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(StateError::Address {
            problem: "this system has no certificates of authorities".to_owned(),
            help: "install them (on Debian `ca-certificates`), or name a file under `sslrootcert`".to_owned(),
        });
    }
    Ok(roots)
}

/// Believes whoever answers, as `sslmode=require` has it; only that the key belongs to the certificate is looked at.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
