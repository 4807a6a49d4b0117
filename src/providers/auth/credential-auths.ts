import { WeirError } from '../../kernel/errors.js';
import type { Secret } from '../../platform/crypto/index.js';
import type { Transport } from '../../platform/egress/index.js';
import type { AuthStyle } from '../provider.js';
import { aiGatewayAuth } from './ai-gateway.js';
import { type Auth, bearer, fixedHeaders } from './auth.js';
import { awsAuth, regionOf } from './aws.js';
import { type SealedCredential, structuredIn } from './credential.js';
import { entraAuth } from './entra.js';
import { authorizedUserAuth, serviceAccountAuth } from './google.js';
import { headersAuth } from './headers.js';
import type { Identities } from './identities/identities.js';
import { zhipuAuth } from './zhipu.js';

/** A credential. `tenantId` null: the platform's. */
interface Shown {
  secret: Secret;
  tenantId: string | null;
}

/** How each credential is shown: made when it is first used. Its tokens are forgotten with it. */
export class CredentialAuths {
  /** `style`: how the plain key is shown there; null: the credential says itself. */
  private readonly made = new WeakMap<object, { auth: Auth; style: AuthStyle | null }>();

  /**
   * @param transport by which tokens are asked for.
   * @param identities of the workload.
   */
  constructor(
    private readonly transport: Transport,
    private readonly identities: Identities,
  ) {}

  /**
   * @param style how a plain key is shown.
   * @param origin of the provider; a credential has one only.
   * @throws WeirError credential_unavailable
   */
  of(credential: Shown, style: AuthStyle, origin: string): Auth {
    const known = this.made.get(credential);
    if (known && (known.style === null || known.style === style)) return known.auth;
    const made = this.make(credential, style, origin);
    this.made.set(credential, made);
    return made.auth;
  }

  private make({ secret, tenantId }: Shown, style: AuthStyle, origin: string): { auth: Auth; style: AuthStyle | null } {
    const text = secret.reveal();
    let structured: SealedCredential | null;
    try {
      structured = structuredIn(text);
    } catch {
      // The error would tell what stands in it.
      throw new WeirError('credential_unavailable', { cause: 'the sealed credential is of no known form' });
    }
    return structured ? { auth: this.structured(structured, tenantId, origin), style: null } : { auth: plain(text, style), style };
  }

  private structured(credential: SealedCredential, tenantId: string | null, origin: string): Auth {
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
      case 'ai_gateway':
        return aiGatewayAuth(credential);
      case 'identity':
        return this.identities.open(credential, tenantId);
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
