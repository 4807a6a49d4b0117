export { fingerprint, Keyring, MasterKeyMismatch } from './keyring.js';
export { Secret } from './secret.js';
