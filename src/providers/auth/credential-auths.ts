import { WeirError } from '../../kernel/errors.js';
import type { Secret } from '../../platform/crypto/index.js';
import type { Transport } from '../../platform/egress/index.js';
import type { AuthStyle } from '../provider.js';
import { type Auth, bearer, fixedHeaders } from './auth.js';
import { awsAuth, regionOf } from './aws.js';
import { type StructuredCredential, structuredIn } from './credential.js';
import { entraAuth } from './entra.js';
import { authorizedUserAuth, serviceAccountAuth } from './google.js';
import { headersAuth } from './headers.js';
import { zhipuAuth } from './zhipu.js';

/** How each credential is shown: made when it is first used. Its tokens are forgotten with it. */
export class CredentialAuths {
  /** `style`: how the plain key is shown there; null: the credential says itself. */
  private readonly made = new WeakMap<object, { auth: Auth; style: AuthStyle | null }>();

  /** @param transport by which tokens are asked for. */
  constructor(private readonly transport: Transport) {}

  /**
   * @param style how a plain key is shown.
   * @param origin of the provider; a credential has one only.
   * @throws WeirError credential_unavailable
   */
  of(credential: { secret: Secret }, style: AuthStyle, origin: string): Auth {
    const known = this.made.get(credential);
    if (known && (known.style === null || known.style === style)) return known.auth;
    const made = this.make(credential.secret.reveal(), style, origin);
    this.made.set(credential, made);
    return made.auth;
  }

  private make(text: string, style: AuthStyle, origin: string): { auth: Auth; style: AuthStyle | null } {
    let structured: StructuredCredential | null;
    try {
      structured = structuredIn(text);
    } catch {
      // The error would tell what stands in it.
      throw new WeirError('credential_unavailable', { cause: 'the sealed credential is of no known form' });
    }
    return structured ? { auth: this.structured(structured, origin), style: null } : { auth: plain(text, style), style };
  }

  private structured(credential: StructuredCredential, origin: string): Auth {
    switch (credential.type) {
      case 'headers':
        return headersAuth(credential);
      case 'token':
        return bearer(credential.token);
      case 'aws': {
        const region = credential.region ?? regionOf(new URL(origin).host);
        // It was there when the credential was saved.
        if (region === null) throw new WeirError('credential_unavailable', { cause: 'neither the credential nor the host names a region' });
        return awsAuth(credential, region, this.transport);
      }
      case 'service_account':
        return serviceAccountAuth(credential, this.transport);
      case 'authorized_user':
        return authorizedUserAuth(credential, this.transport);
      case 'entra':
        return entraAuth(credential, this.transport);
    }
  }
}

function plain(key: string, style: AuthStyle): Auth {
  switch (style.kind) {
    case 'bearer':
      return bearer(key);
    case 'header':
      return fixedHeaders(style.name, key);
    case 'zhipu':
      return zhipuAuth(key);
    case 'none':
      return fixedHeaders();
  }
}
