import { nearest } from '../../kernel/nearest.js';

/** A route as Fastify takes it: `:name` stands for a part of the path, `*` for the rest of it. */
export interface KnownRoute {
  method: string;
  path: string;
}

/** More typing errors are another path; and strangers choose how many are asked for. */
const MAX_TYPING_ERRORS = 6;
/** Longer paths are not compared with those of routes. */
const MAX_LENGTH = 256;

/** What to do about a path and a method that lead nowhere, as a sentence. Null: nothing is near. */
export function adviceAt(path: string, routes: readonly KnownRoute[]): string | null {
  const methods = methodsAt(path, routes);
  return methods.length > 0 ? `This path takes ${methods.join(', ')}.` : nearestRoute(path, routes);
}

/** The route whose path is nearest, as a sentence. Null: none is near. */
export function nearestRoute(path: string, routes: readonly KnownRoute[]): string | null {
  if (path.length > MAX_LENGTH) return null;
  const filled = new Map(routes.map((route) => [fill(route.path, path), route.path]));
  const near = filled.get(nearest(path, filled.keys(), MAX_TYPING_ERRORS) ?? '');
  return near === undefined ? null : `Did you mean ${shown(near)}?`;
}

/** The methods that a path takes. */
export function methodsAt(path: string, routes: readonly KnownRoute[]): string[] {
  if (path.length > MAX_LENGTH) return [];
  return [...new Set(routes.filter((route) => fill(route.path, path) === path).map(({ method }) => method))];
}

/** A route with the parts of a path in the places of its names. */
function fill(route: string, path: string): string {
  const parts = path.split('/');
  return route
    .split('/')
    .map((part, at) => (part === '*' ? parts.slice(at).join('/') || part : part.startsWith(':') ? parts[at] || part : part))
    .join('/');
}

/** As the OpenAPI document has it. */
const shown = (route: string): string => route.replace(/:(\w+)/g, '{$1}').replace('*', '{id}');

/** Where the admin listener answers. */
export const isAdminPath = (path: string): boolean => /^\/(?:v1\/(?:organization|platform)(?:\/|$)|metrics$)/.test(path);
