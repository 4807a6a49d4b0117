import { Module } from '@nestjs/common';
import { ModelBook } from './model-book.js';
import { ModelsRepository } from './models.repository.js';

@Module({ providers: [ModelsRepository, ModelBook], exports: [ModelsRepository, ModelBook] })
export class ModelsModule {}
