import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { AdminSession, Proof, SignedIn } from '../../people/index.js';
import type { Tenant } from '../../tenants/index.js';
import { unixSeconds } from '../http/fields.js';
import { renderPerson } from '../people/render.js';
import type { SelfObject, SessionObject, SignedInObject } from './schema.js';

export const renderSession = (session: AdminSession, currentId: string): z.input<typeof SessionObject> => ({
  id: publicId('adminSession', session.id),
  object: 'auth.session',
  is_current: session.id === currentId,
  method: session.method,
  second_factor: session.confirmed,
  address: session.address,
  user_agent: session.userAgent,
  created_at: unixSeconds(session.createdAt),
  last_seen_at: unixSeconds(session.lastSeenAt),
  expires_at: unixSeconds(session.expiresAt),
});

export const renderSelf = ({ person, session }: SignedIn, tenant: Tenant | null): z.input<typeof SelfObject> => ({
  object: 'auth.self',
  user: renderPerson(person),
  organization: tenant && { id: publicId('tenant', tenant.id), name: tenant.name },
  session: renderSession(session, session.id),
});

export const renderProof = ({ personId, tenantId }: Proof): z.input<typeof SignedInObject> => ({
  object: 'auth.sign_in',
  user_id: publicId('person', personId),
  organization: tenantId && publicId('tenant', tenantId),
});
