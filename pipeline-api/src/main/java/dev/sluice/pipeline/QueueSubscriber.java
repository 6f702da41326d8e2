package dev.sluice.pipeline;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;

/**
 * The end of a queue's Flux: decides the bypass, request by request, hands requests to the loop's sink and their results back to the queue.
 *
 * <p>Its demand is a window: as many requests as the queue can have out or the sink can take, one more for each that has ended.
 * Loop thread only.
 */
final class QueueSubscriber implements CoreSubscriber<BlockRequest>, BlockRequest.CompletionListener {
    private static final Logger LOG = LoggerFactory.getLogger(QueueSubscriber.class);

    private final QueueSource source;
    private final SharedSink sink;
    private final BlockPipeline pipeline;
    private final StageChain stages;
    private final PipelineObserver observer;
    private @Nullable Subscription upstream;

    QueueSubscriber(QueueSource source, SharedSink sink, BlockPipeline pipeline) {
        this.source = source;
        this.sink = sink;
        this.pipeline = pipeline;
        this.stages = pipeline.stages();
        this.observer = pipeline.observer();
    }

    void subscribe() {
        pipeline.assemble(source).subscribe(this);
    }

    @Override
    public void onSubscribe(Subscription upstream) {
        this.upstream = upstream;
        upstream.request(Math.min(source.queue().size(), sink.capacity()));
    }

    @Override
    public void onNext(BlockRequest request) {
        if (!source.loop().inLoop()) {
            // An operator has changed the thread; the request comes home through the mailbox.
            source.loop().execute(() -> take(request));
            return;
        }
        take(request);
    }

    private void take(BlockRequest request) {
        request.listener(this);
        if (request.op() == BlockOp.GET_ID) {
            request.complete(writeSerial(request));
            return;
        }
        int stage = stages.firstInterested(request, 0);
        if (stage < 0) {
            sink.submit(request);
        } else {
            new StagedRequest(request, this, sink).run(stages, stage);
        }
    }

    /** The request has its result: the queue gets the answer, the source room for one more. */
    @Override
    public void requestCompleted(BlockRequest request, int result) {
        finish(request, result, PipelineObserver.BYPASSED);
    }

    void finish(BlockRequest request, int result, int flags) {
        sink.completed();
        long submitted = request.submittedNanos();
        observer.requestCompleted(
                request.queueIndex(),
                request.op(),
                request.lengthBytes(),
                Math.max(0, -result),
                submitted - request.availableNanos(),
                source.loop().tickNanos() - submitted,
                flags);
        source.settle(request);
        Subscription current = upstream;
        if (current != null) {
            current.request(1);
        }
    }

    @Override
    public void onError(Throwable error) {
        upstream = null;
        if (error instanceof BrokenQueueException) {
            LOG.error("{}; the queue has ended, others go on", error.getMessage());
            return;
        }
        // An operator of the program failed: the request it failed on gets an error, the queue a fresh subscription.
        LOG.error("queue {}: an operator of the pipeline failed; the request fails and the queue goes on", source.queue().index(), error);
        source.loop().execute(this::subscribe);
    }

    @Override
    public void onComplete() {
        upstream = null;
    }

    private int writeSerial(BlockRequest request) {
        try {
            byte[] serial = pipeline.serial();
            int at = 0;
            for (int i = 0; i < request.iovecCount(); i++) {
                MemorySegment data = request.dataSegment(i);
                for (long j = 0; j < data.byteSize() && at < BlockPipeline.SERIAL_BYTES; j++, at++) {
                    data.set(ValueLayout.JAVA_BYTE, j, at < serial.length ? serial[at] : 0);
                }
            }
            return at;
        } catch (InternalError fault) {
            // The JVM's form of SIGBUS: the peer has truncated the memory under its mapping.
            return -Errno.EFAULT;
        }
    }
}
