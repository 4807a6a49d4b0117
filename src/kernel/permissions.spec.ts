import { mayAssign, PERMISSIONS, ROLES } from './permissions.js';

const rights = Object.entries(PERMISSIONS).flatMap(([resource, verbs]) =>
  Object.entries(verbs).map(([verb, roles]) => [`${resource}:${verb}`, roles as readonly string[]] as const),
);

/** Whoever says which identity provider is believed can be anybody. */
const OF_OWNERS = 'single_sign_on:write';

test('an owner and an admin may do what anybody may, but for single sign-on, which is the owner’s', () => {
  for (const [right, roles] of rights)
    if (roles.length > 0 && right !== OF_OWNERS) expect([right, roles]).toEqual([right, expect.arrayContaining(['owner', 'admin'])]);
  expect(rights.find(([right]) => right === OF_OWNERS)).toEqual([OF_OWNERS, ['owner']]);
});

test.each(ROLES.filter((role) => role !== 'owner' && role !== 'admin'))(
  '%s: reads no admin keys, and writes nothing but its own',
  (role) => {
    const writes = rights.filter(([right, roles]) => right.endsWith(':write') && roles.includes(role)).map(([right]) => right);
    expect(writes).toEqual(
      { approver: ['approvals:write'], billing: ['prices:write'], developer: ['api_keys:write'] }[role as string] ?? [],
    );
    expect(PERMISSIONS.admin_keys.read).not.toContain(role);
  },
);

test('nobody makes a role that may do more than its own', () => {
  for (const own of ROLES)
    for (const other of ROLES.filter((role) => mayAssign(own, role)))
      for (const [right, roles] of rights)
        if (roles.includes(other)) expect([own, right, roles]).toEqual([own, right, expect.arrayContaining([own])]);
  expect(mayAssign('admin', 'owner')).toBe(false);
});
