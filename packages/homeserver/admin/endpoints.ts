import { Type } from 'typebox'
import type { Registry } from 'prom-client'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { compileCheck } from '../http/check.ts'
import { HttpResponse, defineEndpoint, type AnyEndpoint, type EndpointAuth } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import type { AnyAdminCommand, CommandActor } from './command.ts'

/** Says whether the server can serve: undefined when it can, else a sentence. */
export type ReadinessCheck = () => Promise<string | undefined>

/** Finds the commands that may be given, by name. */
export type LoadCommands = () => Promise<ReadonlyMap<string, AnyAdminCommand>>

/** The metrics library is loaded at the first scrape: many servers are never scraped. */
export type LoadRegistry = () => Promise<Registry>

/** `/metrics` and `/health`: for probes and scrapers, which carry no token. */
export function operationEndpoints(loadRegistry: LoadRegistry, findObstacle: ReadinessCheck): AnyEndpoint[] {
  const ready = async (): Promise<HttpResponse> => {
    const obstacle = await findObstacle()
    if (obstacle === undefined) return new HttpResponse({ status: 200, body: { ready: true } })
    return new HttpResponse({ status: 503, body: { ready: false, reason: obstacle } })
  }
  return [
    defineEndpoint({
      operation: 'metrics',
      method: 'GET',
      path: '/metrics',
      auth: 'none',
      run: async () => {
        const registry = await loadRegistry()
        const headers = { 'content-type': registry.contentType }
        return new HttpResponse({ status: 200, headers, body: await registry.metrics() })
      },
    }),
    defineEndpoint({
      operation: 'live',
      method: 'GET',
      path: '/health/live',
      auth: 'none',
      run: async () => ({ live: true }),
    }),
    defineEndpoint({
      operation: 'ready',
      method: 'GET',
      path: '/health',
      also: ['/health/ready'],
      auth: 'none',
      run: ready,
    }),
  ]
}

/** `POST /commands/<name>` with the command's input: runs it and answers `{ result }`. */
export function commandEndpoints(auth: EndpointAuth, actor: CommandActor, load: LoadCommands): AnyEndpoint[] {
  return [
    defineEndpoint({
      operation: 'adminCommand',
      method: 'POST',
      path: '/commands/:name',
      auth,
      params: Type.Object({ name: Type.String() }),
      body: jsonObject,
      maxBodyBytes: 1024 * 1024,
      run: async (hs, { params, body }) => {
        const command = (await load()).get(params.name)
        if (command === undefined) throw notFound(`There is no admin command "${params.name}"`)
        compileCheck(command.input, 'body')(body)
        hs.logger.info('admin command', { command: params.name, actor: actor.name, input: body })
        return { result: await command.run(hs, body, actor) }
      },
    }),
  ]
}
