export {
  faultOfMatch,
  HINT,
  MATCH_KINDS,
  nameOf,
  passedOn,
  REST,
  type Route,
  type RouteCondition,
  type RouteTarget,
  STRATEGIES,
  type Strategy,
} from './route.js';
export { RouteBook, Shelf } from './route-book.js';
export { RoutesModule } from './routes.module.js';
export { type NewRoute, RoutesRepository } from './routes.repository.js';
export { RoutesService } from './routes.service.js';
