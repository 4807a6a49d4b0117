import type { z } from 'zod';
import type { SingleSignOn } from '../../people/index.js';
import { unixSeconds } from '../http/fields.js';
import type { SingleSignOnObject } from './schema.js';

export const renderSingleSignOn = (sso: SingleSignOn, redirectUri: string): z.input<typeof SingleSignOnObject> => ({
  object: 'single_sign_on',
  issuer: sso.issuer,
  client_id: sso.clientId,
  has_client_secret: sso.clientSecret !== null,
  redirect_uri: redirectUri,
  allowed_domains: sso.allowedDomains,
  role_claim: sso.roleClaim,
  roles: sso.roles,
  default_role: sso.defaultRole,
  creates_people: sso.createsPeople,
  required: sso.required,
  version: sso.version,
  updated_at: unixSeconds(sso.updatedAt),
});
