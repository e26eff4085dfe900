import type { AnyEndpoint } from '../http/endpoint.ts'
import { getThreadRoots } from './list-threads.ts'
import {
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
} from './relations.ts'
import { search } from './search.ts'
import {
  getThreadSubscription,
  listThreadSubscriptions,
  subscribeToThread,
  unsubscribeFromThread,
} from './thread-subscriptions.ts'

/** What relates to an event, the threads of a room, and what is found by words. */
export const relationRoutes: readonly AnyEndpoint[] = [
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
  getThreadRoots,
  search,
  subscribeToThread,
  unsubscribeFromThread,
  getThreadSubscription,
  listThreadSubscriptions,
]
