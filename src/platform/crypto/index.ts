export { MasterKeyMismatch, type MasterKeys } from './data-keys.js';
export { digest, requestDigest } from './digests.js';
export { fingerprint, isSealedByInstallation, Keyring } from './keyring.js';
export { Secret } from './secret.js';
