import { expect, test } from 'vitest'
import { FollowPlan } from '../src/source/follow-plan.ts'

function opened(options?: ConstructorParameters<typeof FollowPlan>[0]): FollowPlan {
  const plan = new FollowPlan(options)
  plan.listedAll(0)
  return plan
}

test('F1: mostly one request by name, until nothing is there', () => {
  const plan = opened()
  expect(plan.begin(1000)).toBe('probe')
  expect(plan.next('advanced', 1001)).toBe('probe')
  expect(plan.next('advanced', 1002)).toBe('probe')
  expect(plan.next('nothing', 1003)).toBe('done')
})

test('F1: a listing of captures now and then, one of everything every tenth time', () => {
  const plan = opened()
  const steps = { probe: 0, 'list-captures': 0, 'list-all': 0, done: 0 }
  for (let now = 1000; now <= 600_000; now += 1000) {
    for (let step = plan.begin(now); step !== 'done'; step = plan.next('nothing', now)) steps[step]++
  }
  expect(steps).toEqual({ probe: 600, 'list-captures': 20, 'list-all': 2, done: 0 })
})

test('F2: a gap makes it list everything at once, and go on from what that brings', () => {
  const plan = opened({ listMs: 0 })
  expect(plan.begin(1000)).toBe('probe')
  expect(plan.next('nothing', 1000)).toBe('list-captures')
  expect(plan.next('gap', 1000)).toBe('list-all')
  expect(plan.next('advanced', 1000)).toBe('probe')
  expect(plan.next('nothing', 1000)).toBe('list-captures')
})

test('F2: after a failure, and after a long pause, everything is listed', () => {
  const plan = opened()
  plan.begin(1000)
  plan.failed()
  expect(plan.begin(2000)).toBe('probe')
  expect(plan.next('nothing', 2000)).toBe('list-all')
  expect(plan.next('nothing', 2000)).toBe('done')
  expect(plan.begin(900_000)).toBe('probe')
  expect(plan.next('nothing', 900_000)).toBe('list-all')
  expect(plan.begin(901_000, true)).toBe('probe')
  expect(plan.next('nothing', 901_000)).toBe('list-all')
})

test('F1: by listings alone, if that is asked for', () => {
  const plan = opened({ method: 'list' })
  expect(plan.begin(1000)).toBe('list-captures')
  expect(plan.next('nothing', 1000)).toBe('done')
  expect(plan.begin(2000)).toBe('list-captures')
  expect(plan.next('advanced', 2000)).toBe('done')
})
