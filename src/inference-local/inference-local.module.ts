import { Module } from '@nestjs/common';
import { InferenceRouteBook } from './inference-route-book.js';
import { InferenceRoutesRepository } from './inference-routes.repository.js';
import { NetworkBindingsRepository } from './network-bindings.repository.js';
import { NetworkIdentities } from './network-identities.js';

const ALL = [InferenceRoutesRepository, NetworkBindingsRepository, InferenceRouteBook, NetworkIdentities];

@Module({ providers: ALL, exports: ALL })
export class InferenceLocalModule {}
