import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';
import { Access, type Audience, KeepsToProject, rolesOf } from '../../../src/control/http/access.js';
import { ControlModule } from '../../../src/control/index.js';
import type { Role } from '../../../src/kernel/permissions.js';

export interface Route {
  method: string;
  /** With `{name}` for what varies. */
  path: string;
  audience: 'operator' | 'any' | 'person' | 'anyone' | 'tenant';
  /** The roles in a tenant that may call it; null: it is no route of a tenant. */
  roles: readonly Role[] | null;
  /** Callers of one project may call it, without its id in the path. */
  keepsToProject: boolean;
}

function pathOf(...parts: string[]): string {
  const segments = parts.flatMap((part) => part.split('/')).filter(Boolean);
  return `/${segments.join('/')}`.replace(/:(\w+)/g, '{$1}');
}

/** Every route the admin API registers, read from its controllers. */
export const ROUTES: Route[] = (Reflect.getMetadata('controllers', ControlModule) as Type[]).flatMap((controller) => {
  const { prototype } = controller as { prototype: Record<string, object> };
  const handlers = Object.getOwnPropertyNames(prototype).filter((name) => Reflect.hasMetadata('method', prototype[name]!));
  return handlers.map((name) => {
    const access: Audience = Reflect.getMetadata(Access.KEY, prototype[name]!) ?? Reflect.getMetadata(Access.KEY, controller);
    const method = RequestMethod[Reflect.getMetadata('method', prototype[name]!)]!;
    return {
      method,
      path: pathOf(Reflect.getMetadata('path', controller), Reflect.getMetadata('path', prototype[name]!)),
      audience: access === 'operator' || access === 'any' || access === 'person' || access === 'anyone' ? access : 'tenant',
      roles: rolesOf(access, method),
      keepsToProject: [prototype[name]!, controller].some((declared) => Reflect.hasMetadata(KeepsToProject.KEY, declared)),
    };
  });
});
