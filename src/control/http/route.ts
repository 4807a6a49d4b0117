import { applyDecorators, HttpCode, Patch, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { z } from 'zod';

/** What a route does, and the shape of its answer, which comes with status 200. @param text its first sentence is the summary. */
export function Answers(schema: z.ZodType, text: string) {
  const [summary = text] = /^.*?\.(?=\s|$)/.exec(text) ?? [];
  const description = text === summary ? undefined : text;
  return applyDecorators(
    HttpCode(200),
    ApiOperation({ summary, description }),
    ApiOkResponse({ standardSchema: schema, description: 'Done.' }),
  );
}

/** A route whose answer, with status 200, is a file in one of some formats. @param text as `Answers` takes it. */
export const AnswersFile = (types: readonly string[], text: string) =>
  applyDecorators(
    ApiOperation({ summary: text }),
    ApiOkResponse({ description: 'Done.', content: Object.fromEntries(types.map((type) => [type, { schema: { type: 'string' } }])) }),
  );

type Handler = (...given: unknown[]) => unknown;

/**
 * A route for POST, and for PATCH as well. Nest takes one verb per method, so the controller gets a second method, `patch`, that calls this one
 * and has the same metadata. It stands above the decorators that it copies.
 */
export const PostOrPatch =
  (path: string): MethodDecorator =>
  (controller, name, descriptor) => {
    const method = String(name);
    const patch = function (this: Record<string, Handler>, ...given: unknown[]) {
      return this[method]!(...given);
    };
    copyMetadata([descriptor.value as object], [patch]);
    copyMetadata([controller, method], [controller, patch.name]);
    copyMetadata([controller.constructor, method], [controller.constructor, patch.name]);
    const twin = { value: patch, configurable: true, writable: true };
    Object.defineProperty(controller, patch.name, twin);
    Patch(path)(controller, patch.name, twin);
    Post(path)(controller, name, descriptor);
  };

type Place = [target: object, property?: string];

function copyMetadata([from, name]: Place, [to, copy]: Place): void {
  for (const key of Reflect.getMetadataKeys(from, name!)) Reflect.defineMetadata(key, Reflect.getMetadata(key, from, name!), to, copy!);
}
