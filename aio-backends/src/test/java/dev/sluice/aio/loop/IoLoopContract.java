package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** The contract of IoLoop: order within a tick, mailbox, timers, failures, ending. The test of a kind of loop extends it. */
public abstract class IoLoopContract {
    private static final int PATIENCE_SECONDS = Patience.seconds(30);

    private final IoLoop loop;

    @SuppressWarnings("this-escape") // start needs nothing of the subclass
    protected IoLoopContract() {
        loop = startLoop();
    }

    /** A running daemon loop of that name. Called before the subclass is made. */
    protected abstract IoLoop start(String name) throws IOException;

    /** Whether such a loop can watch descriptors. */
    protected boolean watches() {
        return true;
    }

    private IoLoop startLoop() {
        try {
            return start("loop-under-test");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @BeforeEach
    final void checkLoopRuns() {
        assertThat(loop.inLoop()).isFalse();
    }

    @AfterEach
    final void closeLoop() {
        loop.close();
    }

    private void onLoop(Runnable work) {
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                work.run();
                done.complete(true);
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        await(done);
    }

    private static <T> T await(CompletableFuture<T> future) {
        return future.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    @Test
    void shouldRunTasksThenTimersThenTurnsThenHooksInATick() {
        List<String> order = new ArrayList<>();
        CompletableFuture<List<String>> done = new CompletableFuture<>();
        onLoop(() -> {
            loop.atTickEnd(() -> {
                order.add("hook 1");
                loop.atTickEnd(() -> {
                    order.add("hook of hook");
                    done.complete(List.copyOf(order));
                });
            });
            loop.atTickEnd(() -> order.add("hook 2"));
            loop.requestTurn(() -> {
                order.add("turn");
                return false;
            });
            loop.schedule(() -> order.add("timer"), 0);
            order.add("task");
        });
        // A timer of no delay is due at the clock's next look, which may be the next tick's: after this tick's hooks.
        assertThat(await(done)).filteredOn(step -> !step.equals("timer")).containsExactly("task", "turn", "hook 1", "hook 2", "hook of hook");
    }

    @Test
    void shouldRunEachTurnOnceATickInTheOrderOfAsking() {
        List<String> order = new ArrayList<>();
        CompletableFuture<List<String>> done = new CompletableFuture<>();
        class Named implements IoLoop.Turn {
            private final String name;
            private int left;

            Named(String name, int left) {
                this.name = name;
                this.left = left;
            }

            @Override
            public boolean run() {
                order.add(name);
                boolean more = --left > 0;
                if (!more && name.equals("slow")) {
                    done.complete(List.copyOf(order));
                }
                return more;
            }
        }
        Named busy = new Named("busy", 2);
        Named slow = new Named("slow", 3);
        onLoop(() -> {
            loop.requestTurn(busy);
            loop.requestTurn(slow);
            loop.requestTurn(busy);
            loop.requestTurn(slow);
            loop.atTickEnd(() -> order.add("|"));
        });
        assertThat(await(done)).containsExactly("busy", "slow", "|", "busy", "slow", "slow");
    }

    @Test
    void shouldRunATurnNextTickWhenATurnAsksForItAndNotTwiceWhenItIsStillToRun() {
        List<String> order = new ArrayList<>();
        CompletableFuture<List<String>> done = new CompletableFuture<>();
        IoLoop.Turn last = () -> {
            order.add("asked");
            return false;
        };
        onLoop(() -> {
            loop.requestTurn(() -> {
                order.add("asking");
                loop.requestTurn(last);
                loop.atTickEnd(() -> order.add("|"));
                loop.schedule(() -> done.complete(List.copyOf(order)), TimeUnit.MILLISECONDS.toNanos(20));
                return false;
            });
            loop.requestTurn(last);
        });
        assertThat(await(done)).containsExactly("asking", "asked", "|");
    }

    @Test
    void shouldKeepTheOrderOfEachThreadWhenManyPost() throws InterruptedException {
        int threads = 8;
        int each = 20_000;
        int[] next = new int[threads];
        AtomicInteger outOfOrder = new AtomicInteger();
        CountDownLatch ran = new CountDownLatch(threads * each);
        List<Thread> posters = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int poster = t;
            posters.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < each; i++) {
                    int number = i;
                    loop.execute(() -> {
                        if (next[poster]++ != number) {
                            outOfOrder.incrementAndGet();
                        }
                        ran.countDown();
                    });
                }
            }));
        }
        assertThat(ran.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        for (Thread poster : posters) {
            poster.join();
        }
        assertThat(outOfOrder).hasValue(0);
        assertThat(loop.counters().tasks()).isGreaterThanOrEqualTo((long) threads * each - 4096);
    }

    @Test
    void shouldWakeUpForEachTaskWhenItWaitsInTheKernel() {
        AtomicInteger ran = new AtomicInteger();
        for (int i = 0; i < 2000; i++) {
            // Each waits for the one before: a wake-up that got lost would hang here.
            onLoop(ran::incrementAndGet);
        }
        assertThat(ran).hasValue(2000);
    }

    @Test
    void shouldNotTickWhenThereIsNothingToDo() {
        onLoop(() -> {});
        CompletableFuture<LoopCounters> later = new CompletableFuture<>();
        onLoop(() -> loop.schedule(() -> later.complete(loop.counters()), TimeUnit.MILLISECONDS.toNanos(300)));
        LoopCounters before = loop.counters();
        LoopCounters after = await(later);
        assertThat(after.ticks() - before.ticks()).isLessThan(5);
    }

    @Test
    void shouldRunTimersInTheOrderOfTheirTimes() {
        List<Integer> order = new ArrayList<>();
        CompletableFuture<List<Integer>> done = new CompletableFuture<>();
        long start = System.nanoTime();
        onLoop(() -> {
            loop.schedule(() -> done.complete(List.copyOf(order)), TimeUnit.MILLISECONDS.toNanos(60));
            loop.schedule(() -> order.add(3), TimeUnit.MILLISECONDS.toNanos(40));
            loop.schedule(() -> order.add(1), TimeUnit.MILLISECONDS.toNanos(20));
            loop.schedule(() -> order.add(2), TimeUnit.MILLISECONDS.toNanos(30));
        });
        assertThat(await(done)).containsExactly(1, 2, 3);
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(60));
    }

    @Test
    void shouldGoOnWhenTasksTurnsHooksAndTimersThrow() {
        CompletableFuture<Boolean> survived = new CompletableFuture<>();
        onLoop(() -> {
            loop.execute(() -> {
                throw new IllegalStateException("a task that fails for the test");
            });
            loop.requestTurn(() -> {
                throw new InternalError("a turn that fails for the test");
            });
            loop.atTickEnd(() -> {
                throw new AssertionError("a hook that fails for the test");
            });
            loop.schedule(
                    () -> {
                        throw new StackOverflowError("a timer that fails for the test");
                    },
                    0);
            loop.schedule(() -> survived.complete(true), TimeUnit.MILLISECONDS.toNanos(10));
        });
        assertThat(await(survived)).isTrue();
    }

    @Test
    void shouldShareOneClockReadingInATick() {
        onLoop(() -> {
            long first = loop.tickNanos();
            assertThat(loop.tickNanos()).isEqualTo(first);
            assertThat(System.nanoTime() - first).isNotNegative();
        });
    }

    @Test
    void shouldRunReactorWorkOnItsThread() {
        Boolean inLoop = Mono.fromCallable(loop::inLoop).subscribeOn(loop.scheduler()).block(java.time.Duration.ofSeconds(PATIENCE_SECONDS));
        assertThat(inLoop).isTrue();
    }

    /** A loop that says that it busy-polls visits pollers; any other refuses them, so that they ask for notifications. */
    @Test
    void shouldVisitPollersIfItSaysThatItBusyPolls() {
        CompletableFuture<Boolean> visited = new CompletableFuture<>();
        onLoop(() -> {
            boolean taken = loop.addPoller(new IoLoop.Poller() {
                @Override
                public boolean poll() {
                    return visited.complete(loop.inLoop());
                }

                @Override
                public boolean armNotifications() {
                    return false;
                }

                @Override
                public void disarmNotifications() {}
            });
            assertThat(taken).isEqualTo(loop.busyPolls());
        });
        if (loop.busyPolls()) {
            assertThat(await(visited)).isTrue();
        }
    }

    @Test
    void shouldRefuseLoopMethodsWhenCalledElsewhere() {
        assertThatThrownBy(() -> loop.requestTurn(() -> false)).isInstanceOf(IllegalStateException.class).hasMessageContaining("loop-under-test");
        assertThatThrownBy(() -> loop.atTickEnd(() -> {})).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> loop.schedule(() -> {}, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> loop.onReadable(0, () -> {})).isInstanceOf(watches() ? IllegalStateException.class : UnsupportedOperationException.class);
    }

    @Test
    void shouldRunWhatIsInTheMailboxWhenClosedAndRefuseWhatComesAfter() {
        AtomicInteger ran = new AtomicInteger();
        for (int i = 0; i < 10_000; i++) {
            loop.execute(ran::incrementAndGet);
        }
        loop.close();
        assertThat(ran).hasValue(10_000);
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class).hasMessageContaining("loop-under-test");
        loop.close();
    }

    @Test
    void shouldLoseNoAcceptedTaskWhenClosedUnderFire() throws InterruptedException {
        for (int round = 0; round < 100; round++) {
            IoLoop fired = startLoop();
            AtomicInteger accepted = new AtomicInteger();
            AtomicInteger ran = new AtomicInteger();
            Thread poster = Thread.ofPlatform().start(() -> {
                try {
                    while (true) {
                        fired.execute(ran::incrementAndGet);
                        accepted.incrementAndGet();
                    }
                } catch (RejectedExecutionException ended) {
                    // What the test waits for.
                }
            });
            fired.close();
            poster.join();
            assertThat(ran.get()).isEqualTo(accepted.get());
        }
    }

    /** A sink whose requests complete on other threads keeps its loop until the last of them has. */
    @Test
    void shouldAwaitTheTasksThatOtherThreadsOweItWhenClosed() throws InterruptedException {
        onLoop(() -> loop.expectTasks(2));
        Thread closer = Thread.ofPlatform().start(loop::close);
        while (closer.getState() != Thread.State.WAITING) {
            TimeUnit.MILLISECONDS.sleep(1);
        }
        AtomicInteger ran = new AtomicInteger();
        for (int i = 0; i < 2; i++) {
            assertThat(closer.isAlive()).isTrue();
            onLoop(() -> {
                loop.expectTasks(-1);
                ran.incrementAndGet();
            });
        }
        closer.join();
        assertThat(ran).hasValue(2);
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
    }

    @Test
    void shouldRunWhatIsToRunWhenItClosesBeforeItAwaitsOthers() throws InterruptedException {
        List<String> order = new ArrayList<>();
        CompletableFuture<Boolean> expecting = new CompletableFuture<>();
        onLoop(() -> {
            loop.onClose(() -> {
                order.add(loop.inLoop() ? "hook" : "hook elsewhere");
                loop.expectTasks(1);
                expecting.complete(true);
            });
            loop.onClose(() -> {
                throw new IllegalStateException("a close hook that fails for the test");
            });
            loop.onClose(() -> order.add("ended hook")).close();
        });
        Thread closer = Thread.ofPlatform().start(loop::close);
        await(expecting);
        onLoop(() -> {
            assertThatThrownBy(() -> loop.onClose(() -> {})).isInstanceOf(IllegalStateException.class).hasMessage("loop-under-test is closing");
            loop.expectTasks(-1);
        });
        closer.join();
        assertThat(order).containsExactly("hook");
    }

    @Test
    void shouldEndWithoutWaitingForItselfWhenClosedFromWithin() {
        CompletableFuture<Boolean> returned = new CompletableFuture<>();
        loop.execute(() -> {
            loop.close();
            returned.complete(true);
        });
        assertThat(await(returned)).isTrue();
        loop.close();
        assertThatThrownBy(() -> loop.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
    }

    @Test
    void shouldLeaveNoDescriptorAndNoThreadBehind() throws IOException {
        loop.close();
        startLoop().close();
        long before = OpenFiles.count();
        for (int i = 0; i < 20; i++) {
            startLoop().close();
        }
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(before);
        assertThat(Thread.getAllStackTraces().keySet()).noneMatch(thread -> thread.getName().equals("loop-under-test"));
    }
}
