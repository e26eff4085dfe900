import { Type } from 'typebox'
import type { Session } from '../http/endpoint.ts'

/** Appservices may say when something was sent. https://spec.matrix.org/v1.19/application-service-api/#timestamp-massaging */
export const timestampQuery = Type.Object({ ts: Type.Optional(Type.Integer({ minimum: 0 })) })

export function appserviceTimestamp(session: Session, query: { ts?: number }): { originServerTs?: number } {
  return session.appserviceId === undefined || query.ts === undefined ? {} : { originServerTs: query.ts }
}
