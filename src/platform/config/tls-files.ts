import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';

/** A certificate, with those that sign it, and its key: PEM. */
export interface CertificatePair {
  cert: Buffer;
  key: Buffer;
}

/**
 * The certificate and key in the files that two variables name; null: they name none, or not what can be used.
 * @param names of the certificate's variable, then of its key's.
 * @param faults gets what is wrong.
 */
export function readPair(
  names: readonly [cert: string, key: string],
  variables: Readonly<Record<string, string | undefined>>,
  directory: string,
  faults: string[],
): CertificatePair | null {
  const [certName, keyName] = names;
  const [certPath, keyPath] = names.map((name) => variables[name]);
  if (certPath === undefined && keyPath === undefined) return null;
  if (certPath === undefined || keyPath === undefined) {
    faults.push(`${certName} and ${keyName} must be set together`);
    return null;
  }
  const cert = readPem(certName, certPath, directory, faults);
  const key = read(keyName, keyPath, directory, faults);
  const isKey = key !== null && succeeds(() => createPrivateKey(key));
  if (key !== null && !isKey) faults.push(`${keyName} is no private key in PEM without a passphrase: ${keyPath}`);
  if (cert === null || !isKey) return null;
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    faults.push(`${keyName} is not the key of the certificate that ${certName} names: ${keyPath}`);
  else if (!succeeds(() => createSecureContext({ cert, key })))
    faults.push(`${certName} and ${keyName} are too weak to be used, or of a kind that TLS does not know; make them anew: ${certPath}`);
  return { cert, key };
}

/** Certificates in the file that a variable names; null: there are none. @param faults gets what is wrong. */
export function readPem(name: string, path: string, directory: string, faults: string[]): Buffer | null {
  const pem = read(name, path, directory, faults);
  if (pem === null || succeeds(() => new X509Certificate(pem))) return pem;
  faults.push(`${name} is no certificate in PEM: ${path}`);
  return null;
}

function read(name: string, path: string, directory: string, faults: string[]): Buffer | null {
  try {
    return readFileSync(resolve(directory, path));
  } catch {
    faults.push(`${name} names a file that cannot be read: ${path}`);
    return null;
  }
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
