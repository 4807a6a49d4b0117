import type { WeirError } from '../../kernel/errors.js';
import { publicId } from '../../kernel/ids.js';
import type { Person } from '../../people/index.js';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0';
const MESSAGES = 'urn:ietf:params:scim:api:messages:2.0';
const USER = `${CORE}:User`;

export const renderUser = ({ id, email, name, externalId, role, createdAt, disabledAt }: Person, baseUrl: string) => ({
  schemas: [USER],
  id: publicId('person', id),
  ...(externalId !== null && { externalId }),
  userName: email,
  displayName: name,
  name: { formatted: name },
  emails: [{ value: email, type: 'work', primary: true }],
  active: disabledAt === null,
  roles: [{ value: role, primary: true }],
  meta: { resourceType: 'User', created: createdAt.toISOString(), location: `${baseUrl}/scim/v2/Users/${publicId('person', id)}` },
});

/** @param startIndex of the first of `items`; the first of all is 1. */
export const renderResources = (items: readonly object[], totalResults: number, startIndex: number) => ({
  schemas: [`${MESSAGES}:ListResponse`],
  totalResults,
  startIndex,
  itemsPerPage: items.length,
  Resources: items,
});

/** A failure in the words of RFC 7644, 3.12. */
export const renderFault = ({ status, code, param, message }: WeirError) => ({
  schemas: [`${MESSAGES}:Error`],
  status: String(status),
  ...(code === 'conflict' && { scimType: 'uniqueness' }),
  ...(code === 'invalid_request' && { scimType: param === 'filter' ? 'invalidFilter' : 'invalidValue' }),
  detail: message,
});

export const SERVICE = {
  schemas: [`${CORE}:ServiceProviderConfig`],
  patch: { supported: true },
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: 200 },
  changePassword: { supported: false },
  sort: { supported: false },
  etag: { supported: false },
  authenticationSchemes: [{ type: 'oauthbearertoken', name: 'Admin key', description: 'An admin key of the tenant, as a bearer token.' }],
};

export const RESOURCE_TYPES = [{ schemas: [`${CORE}:ResourceType`], id: 'User', name: 'User', endpoint: '/Users', schema: USER }];

const attribute = (name: string, type: string, more: object = {}) => ({
  name,
  type,
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
  ...more,
});

export const SCHEMAS = [
  {
    schemas: [`${CORE}:Schema`],
    id: USER,
    name: 'User',
    description: 'A member of the tenant.',
    attributes: [
      attribute('userName', 'string', { required: true, uniqueness: 'server' }),
      attribute('externalId', 'string', { caseExact: true }),
      attribute('displayName', 'string'),
      attribute('active', 'boolean'),
    ],
  },
];
