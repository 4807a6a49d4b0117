import { WeirError } from '../kernel/errors.js';
import { canonicalNetwork, holdsLoopback } from '../platform/listener/index.js';

/** What a connection can show of where it comes from. `listener`: the name of an extra listener that it came in by. */
export const BINDING_KINDS = ['cidr', 'listener', 'client_certificate'] as const;
export type BindingKind = (typeof BINDING_KINDS)[number];

/** A network identity whose calls without a key are a tenant's. */
export interface NetworkBinding {
  tenantId: string;
  id: string;
  projectId: string;
  kind: BindingKind;
  /** A network such as `10.1.0.0/16`, the name of a listener, or a SHA-256 fingerprint in hex. */
  value: string;
  createdBy: string;
  createdAt: Date;
}

export type NewNetworkBinding = Omit<NetworkBinding, 'id' | 'createdAt'>;

/** What a connection shows. Null: nothing of that kind. */
export interface NetworkIdentity {
  /** The SHA-256 fingerprint of a client certificate that the listener has verified, in hex. */
  certificate: string | null;
  /** The name of the extra listener. */
  listener: string | null;
  /** The address of the client. */
  address: string | null;
}

const LISTENER_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const FINGERPRINT = /^(?:[0-9a-f]{64}|[0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i;

/** The value of a binding as it is looked up. @throws WeirError invalid_request */
export function bindingValue(kind: BindingKind, value: string, allowsLoopback: boolean): string {
  switch (kind) {
    case 'cidr':
      return networkOf(value, allowsLoopback);
    case 'listener':
      if (!LISTENER_NAME.test(value)) throw invalid('must be the name of a listener in WEIR_INFERENCE_LISTEN');
      return value;
    case 'client_certificate':
      if (!FINGERPRINT.test(value))
        throw invalid('must be the SHA-256 fingerprint of a certificate in hex, as `openssl x509 -noout -fingerprint -sha256` prints it');
      return value.replaceAll(':', '').toLowerCase();
  }
}

function networkOf(text: string, allowsLoopback: boolean): string {
  const network = canonicalNetwork(text);
  if (network === null) throw invalid('must be an address or a network, such as 10.1.0.0/16 or fd00:1::/32');
  if (text.includes('/') && canonicalNetwork(text.split('/')[0]!) !== canonicalNetwork(network.split('/')[0]!))
    throw invalid(`has bits set after its prefix: send "${network}" if you mean that whole network, or a longer prefix`);
  if (!allowsLoopback && holdsLoopback(network))
    throw invalid('has loopback addresses, which any program on the machine of Weir has. To bind them, send "allow_loopback": true');
  return network;
}

const invalid = (why: string): WeirError => new WeirError('invalid_request', { param: 'value', message: `"value" ${why}.` });
