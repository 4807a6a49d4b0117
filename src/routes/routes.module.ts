import { Module } from '@nestjs/common';
import { RouteBook } from './route-book.js';
import { RoutesRepository } from './routes.repository.js';
import { RoutesService } from './routes.service.js';

@Module({ providers: [RoutesRepository, RoutesService, RouteBook], exports: [RoutesRepository, RoutesService, RouteBook] })
export class RoutesModule {}
