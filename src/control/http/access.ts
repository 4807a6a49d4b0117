import { applyDecorators, type Type } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants';
import { MetadataScanner, Reflector } from '@nestjs/core';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { type Resource, type Role, rolesFor, type Verb } from '../../kernel/permissions.js';

/**
 * Who may call a route. `operator`: the platform's. `any`: each admin key, as itself. `person`: whoever is signed in, as itself. `anyone`: strangers, too;
 * declared by `OpenToAnyone`. A resource: who may read it, for a GET, or else write it, in a
 * tenant, by the table in kernel/permissions.ts; and operators, inside a tenant. `resource:verb`: the same where the method does not tell the verb.
 */
export type Audience = 'operator' | 'any' | 'person' | 'anyone' | Resource | `${Resource}:${Verb}`;

/** Declares who may call a route, or all routes of a controller. A route without it fails the start. */
export const Access = Reflector.createDecorator<Audience>();

/** Marks such routes in the OpenAPI document while it is built. */
export const OPEN_EXTENSION = 'x-open';

/** A route for which nobody is verified: those that people sign in with. The gate has to know before a body is read. */
export const OpenToAnyone = () => applyDecorators(Access('anyone'), RouteConfig({ isOpen: true }), ApiExtension(OPEN_EXTENSION, true));

export const isOpen = (request: FastifyRequest): boolean => (request.routeOptions.config as { isOpen?: true }).isOpen === true;

/** The roles in a tenant that may call a route; null: it is no route of a tenant. */
export function rolesOf(audience: Audience, method: string): readonly Role[] | null {
  if (audience === 'operator' || audience === 'any' || audience === 'person' || audience === 'anyone') return null;
  const [resource, verb] = audience.split(':') as [Resource, Verb?];
  return rolesFor(resource, verb ?? (method === 'GET' ? 'read' : 'write'));
}

/**
 * A caller that works in one project may call these: they show and change nothing of other projects than `ProjectId` says. It may also call each route
 * with a `:project_id` in its path, for its own, and no others.
 */
export const KeepsToProject = Reflector.createDecorator<true>();

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
