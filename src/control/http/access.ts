import type { Type } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants';
import { MetadataScanner, Reflector } from '@nestjs/core';

/** Who may call a route. `operator`: the platform's. `tenant`: a tenant's admin, or an operator inside a tenant. `any`: either, as itself. */
export type Audience = 'operator' | 'tenant' | 'any';

/** Declares who may call a route, or all routes of a controller. A route without it fails the start. */
export const Access = Reflector.createDecorator<Audience>();

/** Of a tenant that was deleted, an operator may still call these: they read the ledger, which is kept. */
export const ReadsKeptLedger = Reflector.createDecorator<true>();

/** Routes of a controller that do not say who may call them, as `Controller.method`. */
export function undeclaredRoutes(controller: Type): string[] {
  if (Reflect.hasMetadata(Access.KEY, controller)) return [];
  const { prototype } = controller as { prototype: Record<string, object> };
  return new MetadataScanner()
    .getAllMethodNames(prototype)
    .filter((name) => Reflect.hasMetadata(METHOD_METADATA, prototype[name]!) && !Reflect.hasMetadata(Access.KEY, prototype[name]!))
    .map((name) => `${controller.name}.${name}`);
}
