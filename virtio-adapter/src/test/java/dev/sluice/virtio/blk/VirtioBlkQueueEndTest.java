package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How a queue ends: closed, or broken by its driver or its front end. */
final class VirtioBlkQueueEndTest extends BareQueue {
    VirtioBlkQueueEndTest() throws IOException {}

    @Test
    void shouldRefuseToCloseWhileRequestsAreInFlight() {
        offer(0);
        BlockRequest out = polled();
        assertThatThrownBy(queue::close).isInstanceOf(IllegalStateException.class).hasMessage("queue 0 has 1 requests out");
        out.complete(512);
    }

    @Test
    void shouldFreeItsIovecsWhenItCloses() {
        closed = true;
        queue.close();
        large(0, 9);
        guest.publish();
        assertThatThrownBy(queue::poll).hasMessage("native block is closed");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void shouldEndWhenTheRingIsBroken(int withError) {
        if (withError == 0) {
            queue.eventFds(guest.call.number(), VirtioBlkQueue.NO_FD);
        }
        offer(0, 3, 6);
        BlockRequest done = polled();
        BlockRequest out = polled();
        done.complete(512);
        guest.availIdx(0x4000);
        polled().complete(512);
        assertThat(queue.broken()).isFalse();
        Throwable first = failureOf();
        assertThat(queue.broken()).isTrue();
        assertThat(guest.device.needsReset()).isTrue();
        assertThat(guest.events.broken).hasValue(1);
        assertThat(out.abandoned()).isTrue();
        assertThat(failureOf()).as("then and ever after").isSameAs(first);
        assertThat(guest.events.broken).hasValue(1);
        guest.availIdx(4);
        assertThat(failureOf()).as("also if the driver puts its index right").isSameAs(first);
        assertThat(queue.available()).isFalse();
        assertThat(queue.enableKicks()).isFalse();
        queue.disableKicks();
        assertThat(usedFlags()).isZero();
        assertThat(queue.inFlight()).isEqualTo(1);
        out.complete(512);
        assertThat(queue.inFlight()).isZero();
        assertThat(usedAfterTick()).as("neither what had completed nor what completes then").isEmpty();
        assertThat(guest.events.publications).hasValue(0);
        assertThat(guest.errSignalled()).isEqualTo(withError == 1);
        assertThat(guest.aio.eventFds).hasSize(withError);
        guest.device.reset();
        assertThat(guest.device.needsReset()).isFalse();
    }

    /** VIRTIO 1.3 §2.7.13: a head is the device's until it is used. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 33, 61})
    void shouldEndWhenAHeadIsMadeAvailableWhileItIsInFlight(int head) {
        offer(head);
        BlockRequest out = polled();
        out.complete(512);
        assertThat(usedAfterTick()).hasSize(1);
        offer(head, head);
        BlockRequest again = polled();
        assertThat(failureOf()).hasMessage("queue 0: VIRTIO 1.3 §2.7.13: head " + head + " was made available while it is in flight");
        again.complete(512);
    }

    /** Each of the places that touch guest memory breaks the queue, and nothing else, when the front end has truncated it. */
    @ParameterizedTest
    @ValueSource(strings = {"poll", "available", "enableKicks", "disableKicks", "publish", "start", "complete"})
    void shouldEndWhenTheFrontEndTruncatesItsMemory(String where) throws IOException {
        offer(0, 3);
        BlockRequest first = polled();
        BlockRequest second = polled();
        if (where.equals("complete")) {
            first.complete(512);
        }
        guest.truncateRings();
        switch (where) {
            case "poll" -> assertThatThrownBy(queue::poll).isInstanceOf(BrokenQueueException.class);
            case "available" -> assertThat(queue.available()).isTrue();
            case "enableKicks" -> assertThat(queue.enableKicks()).isTrue();
            case "disableKicks" -> queue.disableKicks();
            case "publish" -> {
                first.complete(512);
                queue.publishNow();
            }
            case "start" -> queue.start(() -> wakes++);
            default -> {}
        }
        if (where.equals("complete")) {
            guest.loop.tick();
        }
        assertThat(queue.broken()).isTrue();
        assertThat(wakes).as("whoever polls it finds out").isEqualTo(where.equals("publish") || where.equals("complete") ? 1 : 0);
        assertThat(failureOf()).hasMessage("queue 0: the peer has truncated the memory under its mapping (SIGBUS)").hasCauseInstanceOf(InternalError.class);
        assertThat(guest.device.needsReset()).isTrue();
        assertThat(guest.loop.takeFailures()).isEmpty();
        assertThat(guest.events.broken).hasValue(1);
        if (first.state() != BlockRequest.State.FREE) {
            first.complete(512);
        }
        second.complete(512);
        int _ = guest.loop.tickUntilIdle();
        assertThat(guest.errSignalled()).isTrue();
        assertThat(guest.called()).isFalse();
        assertThat(guest.events.publications).hasValue(0);
    }

    /** A fault in compiled code comes out later than the access: here when the request has been parsed and has its iovecs. */
    @Test
    void shouldReleaseTheRequestThatAFaultInterrupts() throws IOException {
        int[] untilFault = {-1};
        int[] hooks = {0};
        QueueUnderTest.Setup setup = bare();
        setup.queueLoop = loop -> (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (proxy, method, arguments) -> {
            if (method.getName().equals("tickNanos") && untilFault[0]-- == 0) {
                throw new InternalError("a fault");
            }
            hooks[0] += method.getName().equals("atTickEnd") ? 1 : 0;
            return method.invoke(loop, arguments);
        });
        reopen(setup);
        offer(40, 43);
        polled().complete(512);
        polled().complete(512);
        assertThat(hooks[0]).as("the end of the tick is asked for once").isEqualTo(1);
        assertThat(usedAfterTick()).hasSize(2);
        large(0, 9);
        large(3, 9);
        guest.publish();
        BlockRequest out = polled();
        untilFault[0] = 1;
        assertThat(failureOf()).hasMessageContaining("SIGBUS").hasRootCauseMessage("a fault");
        assertThat(queue.inFlight()).as("the other one").isEqualTo(1);
        out.complete(9 * 512);
        assertThat(queue.inFlight()).isZero();
        assertThat(usedAfterTick()).isEmpty();
        // Closing it misses no iovecs.
    }
}
