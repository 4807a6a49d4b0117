import 'reflect-metadata';
import { RequestMethod, type Type } from '@nestjs/common';
import { Access, type Audience } from '../../../src/control/http/access.js';
import { ControlModule } from '../../../src/control/index.js';

export interface Route {
  method: string;
  /** With `{name}` for what varies. */
  path: string;
  audience: Audience;
}

function pathOf(...parts: string[]): string {
  const segments = parts.flatMap((part) => part.split('/')).filter(Boolean);
  return `/${segments.join('/')}`.replace(/:(\w+)/g, '{$1}');
}

/** Every route the admin API registers, read from its controllers. */
export const ROUTES: Route[] = (Reflect.getMetadata('controllers', ControlModule) as Type[]).flatMap((controller) => {
  const { prototype } = controller as { prototype: Record<string, object> };
  const handlers = Object.getOwnPropertyNames(prototype).filter((name) => Reflect.hasMetadata('method', prototype[name]!));
  return handlers.map((name) => ({
    method: RequestMethod[Reflect.getMetadata('method', prototype[name]!)]!,
    path: pathOf(Reflect.getMetadata('path', controller), Reflect.getMetadata('path', prototype[name]!)),
    audience: Reflect.getMetadata(Access.KEY, prototype[name]!) ?? Reflect.getMetadata(Access.KEY, controller),
  }));
});
